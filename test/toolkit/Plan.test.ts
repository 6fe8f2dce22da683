import { assert, describe, it } from "@effect/vitest"
import * as Backoff from "causeway-mcp/policy/Backoff"
import * as Policy from "causeway-mcp/policy/Policy"
import * as ResultCache from "causeway-mcp/policy/ResultCache"
import * as Evidence from "causeway-mcp/tool/Evidence"
import * as Tool from "causeway-mcp/tool/Tool"
import * as Plan from "causeway-mcp/toolkit/Plan"
import * as Toolkit from "causeway-mcp/toolkit/Toolkit"
import * as ToolRegistry from "causeway-mcp/toolkit/ToolRegistry"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

const tool = (options: {
  readonly safety?: Tool.Safety
  readonly scopes?: ReadonlyArray<string>
  readonly isPublic?: boolean
} = {}) =>
  Tool.make("share_price", {
    description: "Gives the present share price of a company",
    success: Schema.Number,
    safety: options.safety ?? "readOnly",
    scopes: options.scopes ?? [],
    isPublic: options.isPublic === true
  }).implement(() => Evidence.computed("price", 1))

const tools = new Set(["share_price", "closing_price"])

const plan = (policy: Policy.Any, options?: Parameters<typeof tool>[0], server: Policy.Any = Policy.none) =>
  Plan.make(Tool.withTerms({ policy })(tool(options)), { server, tools })

const warnings = (...policies: ReadonlyArray<Policy.Any>) => plan(Policy.all(...policies)).warnings

const cache = Policy.cache({ timeToLive: "1 minute", staleFor: "2 minutes" })

describe("Plan.make", () => {
  it("says in order what holds, and where it was set", () => {
    const handler = Tool.withTerms({
      policy: Policy.all(
        Policy.timeout("5 seconds"),
        Policy.rateLimit({ limit: 100, window: "1 minute", per: ["caller"] })
      ),
      toolkitPolicy: Policy.all(Policy.timeout("10 seconds"), Policy.circuitBreaker())
    })(
      Tool.requires(tool({ scopes: ["prices:read"] }), ["exchange"]).pipe(
        Tool.uses(["model"]),
        Tool.uses(["cache", "model"])
      )
    )
    assert.deepStrictEqual(Plan.make(handler, { server: Policy.standard, tools }), {
      tool: "share_price",
      safety: "readOnly",
      scopes: ["prices:read"],
      requires: ["exchange"],
      uses: ["model", "cache"],
      steps: [
        { name: "sizeLimit", says: "arguments of 1 MiB, answers of 256 KiB", from: "server" },
        { name: "rateLimit", says: "100 calls per 1m for each caller, 100 at once", from: "tool" },
        { name: "concurrency", says: "64 calls at once, 256 waiting for 10s", from: "server" },
        {
          name: "circuitBreaker",
          says: "opens for 5s after 5 failures in a row or 50 % within 30s",
          from: "toolkit"
        },
        { name: "timeout", says: "5s in all", from: "tool" }
      ],
      warnings: []
    })
  })

  it("has nothing to say of a tool under no policy, and no warning of the standard one", () => {
    assert.deepStrictEqual(plan(Policy.none).steps, [])
    assert.deepStrictEqual(plan(Policy.none, { safety: "effectful" }, Policy.standard).warnings, [])
  })

  it("says every part in its place, whatever the order of writing", () => {
    const parts = [
      Policy.minConfidence(0.5),
      Policy.attemptTimeout("1 second"),
      Policy.retry(Backoff.quick),
      Policy.timeout("5 seconds"),
      Policy.circuitBreaker(),
      cache,
      Policy.fallback("stale"),
      Policy.fallback({ tool: "closing_price", why: "it needs no exchange" }),
      Policy.coalesce,
      Policy.concurrency({ limit: 2, maxWait: "1 second", upstream: "exchange", perCaller: 1 }),
      Policy.rateLimit({ limit: 5, window: "1 second" }),
      Policy.rateLimit({ limit: 2, window: "1 hour", name: "dollars", per: [], cost: () => 1 }),
      Policy.idempotent(),
      Policy.sizeLimit({ input: 100 }),
      Policy.priority("critical")
    ]
    const { steps } = plan(Policy.all(...parts), { safety: "idempotent" })
    assert.deepStrictEqual(
      steps,
      plan(Policy.all(...parts.slice(8), ...parts.slice(0, 8)), { safety: "idempotent" }).steps
    )
    assert.deepStrictEqual(steps.map(({ says }) => says), [
      "turned away as critical",
      "arguments of 100 bytes",
      "run once for each key of the client, kept 1d",
      "5 calls per 1s for each caller and tool, 5 at once",
      "2 dollars per 1h for all together, 2 at once, counted by its input",
      "2 calls at once, 1 of one caller, 8 waiting for 1s, on exchange",
      "equal calls at one time share a run",
      "an answer that was kept",
      "told of closing_price: it needs no exchange",
      "answers kept 1m, and 2m more for failures, half as sure after 4m",
      "opens for 5s after 5 failures in a row or 50 % within 30s",
      "5s in all",
      "tried again where the failure says that it may help",
      "1s for each try",
      "a confidence of 0.5, or no answer"
    ])
  })

  it("leaves out of an effectful tool what repeats, and warns of it", () => {
    const { steps, warnings } = plan(
      Policy.all(Policy.retry(Backoff.quick), cache, Policy.coalesce, Policy.timeout("1 second")),
      { safety: "effectful" }
    )
    assert.deepStrictEqual(steps.map(({ name }) => name), ["timeout"])
    assert.deepStrictEqual(warnings, [
      "retry, cache, coalesce is left out, since the tool is effectful; use idempotent, or declare it safe to repeat."
    ])
  })

  it("warns of each thing that is unwise, and of nothing beside it", () => {
    const retry = Policy.retry(Backoff.quick)
    const half = Policy.attemptTimeout("2 seconds")
    const stale = Policy.fallback("stale")
    const cases: ReadonlyArray<readonly [ReadonlyArray<Policy.Any>, string | undefined]> = [
      [[retry], "without an attemptTimeout"],
      [[retry, half, Policy.timeout("3 seconds")], "two tries do not fit"],
      [[retry, half, Policy.timeout("5 seconds")], undefined],
      [[half, Policy.timeout("2 seconds")], "never counts"],
      [[half, Policy.timeout("5 seconds")], undefined],
      [[Policy.cache({ timeToLive: "1 hour", halfLife: "1 minute" })], "longer than their half-life"],
      [[Policy.cache({ timeToLive: "1 minute", staleFor: "1 hour" }), stale], "less than a sixteenth"],
      [[cache], "nothing uses them"],
      [[Policy.cache({ timeToLive: "1 minute" }), stale], "set staleFor"],
      [[cache, stale], undefined],
      [[stale], "needs a cache"],
      [[Policy.fallback({ tool: "no_tool", why: "" })], "there is no such tool"],
      [[Policy.fallback({ tool: "share_price", why: "" })], "its own fallback"],
      [[Policy.fallback({ tool: "closing_price", why: "" })], undefined],
      [[Policy.idempotent()], "do nothing for a read-only tool"],
      [
        [Policy.concurrency({ limit: 5, maxWait: "10 seconds" }), Policy.timeout("5 seconds")],
        "longer (10s) than they"
      ],
      [[Policy.concurrency(5), Policy.timeout("5 seconds")], undefined],
      [
        [Policy.concurrency(5), Policy.rateLimit({ limit: 26, window: "1 second" })],
        "26 calls come at once, and 25 can"
      ],
      [[Policy.concurrency(5), Policy.rateLimit({ limit: 26, burst: 25, window: "1 second" })], undefined],
      [[Policy.circuitBreaker(), Policy.timeout("31 seconds")], "opens late"],
      [[Policy.circuitBreaker(), Policy.timeout("30 seconds")], undefined],
      [[Policy.minConfidence(0.99)], "hardly any answer"],
      [[cache, stale, Policy.minConfidence(0.9)], "no kept answer is sure enough"],
      [[cache, stale, Policy.minConfidence(0.8)], undefined]
    ]
    for (const [policies, warning] of cases) {
      const found = warnings(...policies)
      assert.lengthOf(found, warning === undefined ? 0 : 1, found.join("\n"))
      if (warning !== undefined) assert.include(found[0], warning)
    }
  })

  it("warns of public answers behind scopes", () => {
    const { warnings } = plan(Policy.coalesce, { isPublic: true, scopes: ["a"] })
    assert.include(warnings[0], "are public and need scopes")
    assert.deepStrictEqual(plan(Policy.none, { isPublic: true, scopes: ["a"] }).warnings, [])
  })
})

describe("Plan.ofToolkit", () => {
  const named = <const Name extends string>(name: Name, policy: Policy.Any) =>
    Tool.withTerms({ policy })(
      Tool.make(name, { description: "Gives a price", success: Schema.Number, safety: "readOnly" })
        .implement(() => Evidence.computed("price", 1))
    )
  const to = (tool: string) => Policy.fallback({ tool, why: "it may know" })

  it("warns of fallbacks that lead back to where they began, and of no others", () => {
    const plans = Plan.ofToolkit(
      Toolkit.make(
        named("into", to("one")),
        named("one", to("two")),
        named("two", to("three")),
        named("three", to("one")),
        named("last", to("end")),
        named("end", Policy.none)
      ),
      Policy.none
    )
    assert.deepStrictEqual(plans.map(({ warnings }) => warnings), [
      [],
      ["the fallback leads back to the tool (two, three, one); let one of them have none."],
      ["the fallback leads back to the tool (three, one, two); let one of them have none."],
      ["the fallback leads back to the tool (one, two, three); let one of them have none."],
      [],
      []
    ])
  })

  it("warns of an upstream that is named with different numbers", () => {
    const on = (limit: number, upstream: string, queue?: number) => Policy.concurrency({ limit, upstream, queue })
    const plans = Plan.ofToolkit(
      Toolkit.make(
        named("one", on(8, "exchange")),
        named("two", on(8, "exchange", 32)),
        named("three", on(4, "bank")),
        named("four", on(4, "bank", 4))
      ),
      Policy.none
    )
    const warning = "tools name bank with different numbers, so they do not share its places; give them the same."
    assert.deepStrictEqual(plans.map(({ warnings }) => warnings), [[], [], [warning], [warning]])
  })
})

describe("Plan.render", () => {
  it("is a table for each tool, with its warnings", () => {
    const toolkit = Toolkit.make(Tool.withTerms({ policy: Policy.fallback({ tool: "gone", why: "never" }) })(tool()))
    assert.strictEqual(
      Plan.render(Plan.ofToolkit(toolkit, Policy.timeout("5 seconds"))),
      [
        "share_price (readOnly)",
        "  fallback  told of gone: never  tool",
        "  timeout   5s in all            server",
        "  ! the fallback names gone, and there is no such tool."
      ].join("\n")
    )
    assert.strictEqual(Plan.render([]), "")
  })
})

describe("ToolRegistry.plan", () => {
  it.scoped("is that of the tools there are, and its warnings stand among those of the registry", () =>
    Effect.gen(function*() {
      const handler = Tool.withTerms<never>({ policy: Policy.fallback({ tool: "closing_price", why: "near" }) })(tool())
      const registry = yield* ToolRegistry.make(Toolkit.make(handler), { policy: Policy.timeout("5 seconds") })
      assert.deepStrictEqual(registry.plan, Plan.ofToolkit(Toolkit.make(handler), Policy.timeout("5 seconds")))
      assert.deepStrictEqual(registry.warnings, [
        "The policy of share_price: the fallback names closing_price, and there is no such tool."
      ])
      const closing = Tool.make("closing_price", {
        description: "Gives the last closing price of a company",
        success: Schema.Number,
        safety: "readOnly"
      }).implement(() => Evidence.computed("price", 1))
      yield* registry.add(Toolkit.make(closing))
      assert.deepStrictEqual(registry.warnings, [])
      assert.deepStrictEqual(registry.plan.map(({ tool }) => tool), ["share_price", "closing_price"])
    }))

  it.scoped("needs what the policy of the server needs, and finds it for tools that are added", () =>
    Effect.gen(function*() {
      const registry = yield* ToolRegistry.make(Toolkit.make(), { policy: Policy.cache({ timeToLive: "1 minute" }) })
        .pipe(
          Effect.provide(ResultCache.layerMemory)
        )
      yield* registry.add(Toolkit.make(tool()))
      assert.deepStrictEqual(registry.plan[0]?.steps.map(({ from, name }) => [name, from]), [["cache", "server"]])
    }))
})
