import { assert, it } from "@effect/vitest"
import * as ApiKeys from "causeway-mcp/auth/ApiKeys"
import * as Health from "causeway-mcp/health/Health"
import * as Lifecycle from "causeway-mcp/health/Lifecycle"
import * as CallLog from "causeway-mcp/ops/CallLog"
import * as Console from "causeway-mcp/ops/Console"
import * as OpsApp from "causeway-mcp/ops/OpsApp"
import * as OpsServer from "causeway-mcp/ops/OpsServer"
import * as McpServer from "causeway-mcp/server/McpServer"
import * as Evidence from "causeway-mcp/tool/Evidence"
import * as Tool from "causeway-mcp/tool/Tool"
import * as ToolError from "causeway-mcp/tool/ToolError"
import * as Plan from "causeway-mcp/toolkit/Plan"
import * as Toolkit from "causeway-mcp/toolkit/Toolkit"
import * as HttpTransport from "causeway-mcp/transport/HttpTransport"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Ref from "effect/Ref"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import { mkdirSync, statSync } from "node:fs"
import { join } from "node:path"
import { temporary } from "../document/directory.js"
import { http } from "../interop/server.js"
import * as Browser from "./browser.js"

const quiet = Logger.remove(Logger.defaultLogger)

const evil = "<img src=x onerror=\"window.hit=1\"><script>window.hit=1</script>"

const Weather = Tool.make("weather_of_city", {
  title: `Weather ${evil}`,
  description: `Tells the weather. ${evil}`,
  parameters: {
    city: Schema.String.annotations({ description: `A city ${evil}`, examples: ["Grenoble"] }),
    days: Schema.optionalWith(Schema.Int.pipe(Schema.between(1, 7)), { exact: true }),
    unit: Schema.optionalWith(Schema.Literal("celsius", "fahrenheit"), { exact: true }),
    exact: Schema.optionalWith(Schema.Boolean, { exact: true }),
    tags: Schema.optionalWith(Schema.Array(Schema.String), { exact: true }),
    place: Schema.optionalWith(Schema.Struct({ height: Schema.Number }), { exact: true }),
    points: Schema.optionalWith(Schema.Array(Schema.Struct({ x: Schema.Number })), { exact: true })
  },
  success: Schema.Struct({ asked: Schema.Unknown, says: Schema.String }),
  safety: "readOnly"
}).implement((asked) =>
  Effect.map(
    Evidence.source({ id: "station-7", kind: "web", title: `Station ${evil}`, uri: "javascript:window.hit=1" }),
    (source) => Evidence.make({ data: { asked, says: evil }, confidence: 0.83, sources: [source] })
  )
).pipe(Tool.requires(["station"]))

const Broken = Tool.make("read_archive", {
  description: "Reads what is not there",
  success: Schema.String,
  safety: "readOnly"
}).implement(() =>
  Effect.fail(
    new ToolError.ToolError({
      code: "temporarily_unavailable",
      message: `The archive is away ${evil}`,
      fallback: { tool: "weather_of_city", why: "it needs no archive" }
    })
  )
)

const tools = Toolkit.make(Weather, Broken)
const Server = McpServer.layerTools(tools, { name: "weather", version: "1.0.0", title: `Weather desk ${evil}` })

/** A server with its console on a port of its own. */
const serve = (port = 0) =>
  Effect.gen(function*() {
    const pages = yield* Console.make({
      plans: Plan.ofToolkit(tools),
      endpoint: "http://127.0.0.1:3333/mcp",
      command: { command: "node", args: ["server.js", "--stdio"] }
    })
    const app = yield* OpsApp.make({ pages })
    const { url } = yield* OpsServer.make(app, { port })
    return { app, url }
  })

const around = (isUp: Ref.Ref<boolean>) =>
  Layer.mergeAll(
    Server.pipe(Layer.provideMerge(CallLog.layer())),
    Lifecycle.layer,
    Health.layer([{
      name: "station",
      kind: "web",
      check: Effect.flatMap(Ref.get(isUp), (up) => up ? Effect.void : Effect.fail("away"))
    }])
  )

const Around = Layer.unwrapEffect(Effect.map(Ref.make(true), around))

const text = (selector: string) => `(document.querySelector(${JSON.stringify(selector)})?.innerText ?? "")`
const click = (selector: string) => `document.querySelector(${JSON.stringify(selector)}).click()`
const named = (label: string) =>
  `[...document.querySelectorAll("#try label")].find((label) => label.textContent.split(" ")[0] === "${label}").control`
const write = (label: string, value: string) => `${named(label)}.value = ${JSON.stringify(value)}`
const choose = (tool: string) =>
  `[...document.querySelectorAll("#tool-list button")].find((b) => b.innerText.includes("${tool}")).click()`
const shown = `document.querySelector("#tool-list button") !== null`
const isHarmless = `window.hit === undefined && document.querySelector("main img, header img, main script") === null`

Browser.suite("Console, in a browser", () => {
  it.scopedLive(
    "shows a server, runs a tool by its form, and lets nothing that is foreign do anything",
    () =>
      Effect.gen(function*() {
        const { url } = yield* serve()
        const page = yield* Browser.page
        yield* page.resize(1280, 900)
        yield* page.open(url)
        yield* page.until(shown)
        assert.include(String(yield* page.get(text("#server-name"))), "<img src=x")
        assert.include(String(yield* page.get(text("#tool"))), "<script>")

        for (
          const [label, value] of [
            ["city", "Grenoble"],
            ["days", "3"],
            ["unit", "1"],
            ["exact", "0"],
            [
              "tags",
              " alps \n\nsnow"
            ],
            ["height", "212.5"],
            ["points", "[{\"x\":1}]"]
          ] as const
        ) yield* page.get(write(label, value))
        yield* page.get(click("#try .primary"))
        yield* page.until(`document.querySelector("#confidence")?.innerText === "83 %"`)
        const result = String(yield* page.get(text("#result")))
        assert.include(result, "station-7")
        assert.include(result, evil)
        assert.strictEqual(yield* page.get(`document.querySelectorAll("#result a").length`), 0)
        const asked = yield* page.get(`JSON.parse(document.querySelector("#result > .raw pre").textContent)
        .structuredContent.data.asked`)
        assert.deepStrictEqual(asked, {
          city: "Grenoble",
          days: 3,
          unit: "fahrenheit",
          exact: true,
          tags: ["alps", "snow"],
          place: { height: 212.5 },
          points: [{ x: 1 }]
        })

        yield* page.get(`fetch("console/call", { method: "POST", headers: { "content-type": "application/json" },
        body: JSON.stringify({ name: ${JSON.stringify(evil)} }) })`)
        yield* page.until(`document.querySelectorAll("#call-table tbody tr").length === 2`)
        assert.include(String(yield* page.get(text("#call-table"))), "<img src=x")
        assert.strictEqual(yield* page.get(text("#tiles .card:nth-child(2) .figure")), "50 %")
        yield* page.get(`(() => {
        const filter = document.querySelector("#filter-outcome")
        filter.value = "answered"
        filter.dispatchEvent(new Event("change"))
      })()`)
        assert.strictEqual(yield* page.get(`document.querySelectorAll("#call-table tbody tr").length`), 1)
        assert.isTrue(yield* page.get(`document.querySelector("#latency circle") !== null`))

        assert.isTrue(yield* page.get(isHarmless))
        assert.deepStrictEqual(page.troubles, [])
        assert.deepStrictEqual([...new Set(page.requests.map((request) => new URL(request).origin))], [url])
      }).pipe(Effect.provide(Around), Effect.provide(quiet)),
    60_000
  )

  it.scopedLive(
    "says what is wrong with a form, takes JSON instead, and shows failures with what to do",
    () =>
      Effect.gen(function*() {
        const { url } = yield* serve()
        const page = yield* Browser.page
        yield* page.open(url)
        yield* page.until(shown)
        yield* page.get(click("#try .primary"))
        assert.include(String(yield* page.get(text("#try"))), "city is needed")
        assert.strictEqual(yield* page.get(`document.activeElement === ${named("city")}`), true)

        yield* page.get(click("#try [aria-pressed]"))
        yield* page.get(write("Arguments", "{"))
        yield* page.get(click("#try .primary"))
        assert.include(String(yield* page.get(text("#try"))), "is not JSON")
        yield* page.get(write("Arguments", "{\"city\":\"Lyon\",\"days\":99}"))
        yield* page.get(click("#try .primary"))
        yield* page.until(`${text("#result")}.includes("days")`)
        assert.include(String(yield* page.get(text("#result"))), "failed")

        yield* page.get(choose("read_archive"))
        yield* page.get(click("#try .primary"))
        yield* page.until(`${text("#result")}.includes("temporarily_unavailable")`)
        assert.include(String(yield* page.get(text("#result"))), "<img src=x")
        yield* page.get(
          `[...document.querySelectorAll("#result button")].find((b) => b.innerText.startsWith("Open")).click()`
        )
        assert.include(String(yield* page.get(text("#tool-name"))), "Weather")
        assert.strictEqual(yield* page.get("location.hash"), "#tool=weather_of_city")
        assert.isTrue(yield* page.get(isHarmless))
        assert.deepStrictEqual(page.troubles, [])
      }).pipe(Effect.provide(Around), Effect.provide(quiet)),
    60_000
  )

  it.scopedLive(
    "follows the health of the sources, and says so when the server is gone and when it is back",
    () =>
      Effect.gen(function*() {
        const isUp = yield* Ref.make(true)
        const context = yield* Layer.build(around(isUp))
        const page = yield* Browser.page
        const scope = yield* Effect.acquireRelease(Scope.make(), (scope, exit) => Scope.close(scope, exit))
        const { url } = yield* Scope.extend(Effect.provide(serve(), context), scope)
        yield* page.open(url)
        yield* page.until(`${text("#sources")}.includes("station") && ${text("#standing")}.includes("sources up")`)
        yield* page.get(write("city", "half written"))
        yield* Ref.set(isUp, false)
        yield* page.until(`${text("#standing")}.includes("1 of 1 sources down")`)
        yield* page.until(`${text("#tool-list")}.includes("unavailable: without station")`)
        assert.strictEqual(yield* page.get(`${named("city")}.value`), "half written")

        yield* Scope.close(scope, Exit.void)
        yield* page.until(`${text("#notice")}.includes("does not answer")`)
        assert.isTrue(yield* page.get(`document.querySelector("main").classList.contains("stale")`))
        yield* Ref.set(isUp, true)
        yield* Effect.provide(serve(Number(new URL(url).port)), context)
        yield* page.until(`${text("#standing")}.includes("sources up") && document.querySelector("#notice").hidden`)
        assert.strictEqual(yield* page.get(`${named("city")}.value`), "half written")
      }).pipe(Effect.provide(quiet)),
    90_000
  )

  it.scopedLive("asks for a key, keeps it in memory alone, and shows it nowhere", () =>
    Effect.gen(function*() {
      const caller = yield* ApiKeys.generate
      const reader = yield* ApiKeys.generate
      const Keys = ApiKeys.layer([
        { id: "carl", hash: caller.hash, scopes: ["ops:read", "ops:call"] },
        { id: "rita", hash: reader.hash, scopes: ["ops:read"] }
      ])
      const { url } = yield* Effect.provide(serve(), Keys)
      const page = yield* Browser.page
      const enter = (key: string) =>
        page.get(`(document.querySelector("#key-text").value = ${JSON.stringify(key)},
          document.querySelector("#key button").click())`)
      yield* page.open(url)
      yield* page.until(`!document.querySelector("#key").hidden`)
      assert.isTrue(yield* page.get(`document.querySelector("main").hidden`))
      yield* enter("cw_wrong")
      yield* page.until(`${text("#key-why")}.includes("does not do")`)
      yield* enter("ключ")
      yield* page.until(`${text("#key-why")}.includes("ASCII")`)

      yield* enter(reader.key)
      yield* page.until(shown)
      assert.isTrue(yield* page.get(`document.querySelector("#try .primary").disabled`))
      assert.include(String(yield* page.get(text("#try"))), "ops:call")

      yield* page.open(`${url}/?again`)
      yield* page.until(`!document.querySelector("#key").hidden`)
      yield* enter(caller.key)
      yield* page.until(shown)
      yield* page.get(write("city", "Lyon"))
      yield* page.get(click("#try .primary"))
      yield* page.until(`document.querySelector("#confidence")?.innerText === "83 %"`)
      yield* page.until(`${text("#call-table")}.includes("carl")`)
      assert.include(String(yield* page.get(`document.querySelector("#clients").textContent`)), "YOUR_KEY")
      assert.isFalse(yield* page.get(`document.documentElement.outerHTML.includes(${JSON.stringify(caller.key)})`))
      assert.strictEqual(yield* page.get(`localStorage.length + sessionStorage.length + document.cookie.length`), 0)
      assert.isTrue(page.requests.every((request) => !request.includes(caller.key)))
      // A browser notes each 401 itself.
      assert.deepStrictEqual(page.troubles.filter((trouble) => !trouble.includes("status of 401")), [])
    }).pipe(Effect.provide(Around), Effect.provide(quiet)), 60_000)

  it.scopedLive("can be read on a narrow and on a wide screen, by day and by night", () =>
    Effect.gen(function*() {
      const folder = yield* temporary
      mkdirSync(folder, { recursive: true })
      const { url } = yield* serve()
      const page = yield* Browser.page
      yield* page.open(url)
      yield* page.until(shown)
      yield* page.get(write("city", "Lyon"))
      yield* page.get(click("#try .primary"))
      yield* page.until(`document.querySelector("#confidence") !== null`)
      for (const [width, isDark] of [[400, false], [400, true], [1280, false], [1280, true]] as const) {
        yield* page.resize(width, 900, isDark)
        yield* page.until(`document.documentElement.scrollWidth <= ${width}`)
        const file = join(folder, `${width}-${isDark ? "dark" : "light"}.png`)
        yield* page.picture(file)
        assert.isAbove(statSync(file).size, 10_000)
        // Every field and button has a name that can be read out.
        assert.deepStrictEqual(
          yield* page.get(`[...document.querySelectorAll("input, select, textarea, button")].filter((field) =>
            field.textContent.trim() === "" && !field.labels?.length && !field.ariaLabel).map((field) => field.outerHTML)`),
          []
        )
      }
    }).pipe(Effect.provide(Around), Effect.provide(quiet)), 60_000)

  it.scopedLive("works on the clients' port, beside MCP", () =>
    Effect.gen(function*() {
      const { app } = yield* serve()
      const { url } = yield* HttpTransport.make({ port: 0, app })
      const page = yield* Browser.page
      yield* page.open(new URL("/", url).href)
      yield* page.until(`${text("#standing")}.includes("ready")`)
      yield* page.get(write("city", "Lyon"))
      yield* page.get(click("#try .primary"))
      yield* page.until(`document.querySelector("#confidence")?.innerText === "83 %"`)
      assert.deepStrictEqual(page.troubles, [])
    }).pipe(Effect.provide(Around), Effect.provide(quiet)), 90_000)
})

it.scopedLive(
  "the reference server says where its console is, and leaves it out when it is off",
  () =>
    Effect.gen(function*() {
      const on = yield* http({ SAMPLE_CORPUS: "never", OPS_PORT: "0" })
      const place = yield* Effect.iterate("", {
        while: (found) => found === "",
        body: () =>
          Effect.map(
            Effect.sleep("20 millis"),
            () => on.lines.flatMap((line) => /console: (http\S+)/u.exec(line)?.[1] ?? [])[0] ?? ""
          )
      })
      assert.include(yield* Effect.promise(async () => (await fetch(place)).text()), "Recent calls")
      const state = yield* Effect.promise(async () => (await fetch(new URL("console/state", place))).json())
      assert.deepNestedInclude(state, { "tools.plans[0].tool": "answer_market_question" })

      const off = yield* http({ SAMPLE_CORPUS: "never", CONSOLE: "off" })
      assert.strictEqual(yield* Effect.promise(async () => (await fetch(new URL("/", off.url))).status), 404)
      assert.isFalse(off.lines.some((line) => line.includes("console:")))
    }),
  60_000
)
