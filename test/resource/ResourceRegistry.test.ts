import { assert, describe, it } from "@effect/vitest"
import * as Ask from "causeway-mcp/ask/Ask"
import type * as Asking from "causeway-mcp/ask/Asking"
import * as Principal from "causeway-mcp/auth/Principal"
import * as Changes from "causeway-mcp/change/Changes"
import type { ReadResult } from "causeway-mcp/protocol/McpSchema"
import * as McpResource from "causeway-mcp/resource/McpResource"
import type { ResourceError } from "causeway-mcp/resource/ResourceError"
import { notFound, unavailable } from "causeway-mcp/resource/ResourceError"
import * as ResourceRegistry from "causeway-mcp/resource/ResourceRegistry"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Schema from "effect/Schema"
import * as TestClock from "effect/TestClock"
import * as RegistryLaws from "../catalog/RegistryLaws.js"
import { completed, reader } from "../catalog/RegistryLaws.js"

class Shelf extends Context.Tag("Shelf")<Shelf, ReadonlyMap<string, string>>() {}

const request = (uri: string, caller = Principal.local): ResourceRegistry.ReadRequest => ({
  ...RegistryLaws.request(caller),
  uri
})

const readme = McpResource.make("notes://readme", {
  name: "readme",
  title: "Read me",
  mimeType: "text/markdown",
  size: 5,
  cache: { ttlMs: 60_000, scope: "public" },
  read: () => Effect.succeed(McpResource.text("Hello"))
})

const note = McpResource.template("notes://{id}", {
  name: "note",
  read: ({ id }) =>
    Effect.flatMap(Shelf, (shelf) => {
      const text = shelf.get(id)
      return text === undefined ? Effect.fail(notFound()) : Effect.succeed(McpResource.text(text))
    })
})

const shelf = Layer.succeed(Shelf, new Map([["a", "first"], ["readme", "hidden by the fixed URI"]]))

const textsOf = (result: ReadResult | Asking.Paused) => completed(result).contents.map((content) => content.text)

const fixed = (uri: string, read: () => Effect.Effect<McpResource.Contents, McpResource.Failure, Asking.Asking>) =>
  McpResource.make(uri, { name: uri, read })

describe("ResourceRegistry.layer", () => {
  it.effect("reads with the services its handlers need, the fixed URI before the template", () =>
    Effect.gen(function*() {
      const registry = yield* ResourceRegistry.ResourceRegistry
      assert.deepStrictEqual(textsOf(yield* registry.read(request("notes://a"))), ["first"])
      assert.deepStrictEqual(yield* registry.read(request("notes://readme")), {
        _tag: "Complete",
        contents: [{ uri: "notes://readme", mimeType: "text/markdown", text: "Hello" }],
        cache: { ttlMs: 60_000, scope: "public" }
      })
    }).pipe(Effect.provide(ResourceRegistry.layer([note, readme]).pipe(Layer.provide(shelf)))))

  it.effect("refuses everything that cannot be served, all at once", () =>
    Effect.gen(function*() {
      const read = () => Effect.succeed(McpResource.text(""))
      const error = yield* Effect.flip(ResourceRegistry.make([
        fixed("notes://twice", read),
        fixed("notes://twice", read),
        fixed("relative/path", read),
        fixed("notes://a#b", read),
        fixed("notes://a\nb", read),
        fixed(`notes://${"a".repeat(9000)}`, read),
        McpResource.make("notes://unnamed", { name: " ", read }),
        McpResource.make("notes://cache", { name: "c", scopes: ["x"], cache: { ttlMs: 1.5, scope: "public" }, read }),
        McpResource.template("notes://{a", { name: "open", read }),
        McpResource.template("{+all}", { name: "all", read }),
        McpResource.template("notes://x{#f}", { name: "fragment", read }),
        McpResource.template("same://{id}", { name: "same", read }),
        McpResource.template("same://{id}", { name: "same", read }),
        McpResource.template("other://{id}", { name: "other", parameters: { ident: Schema.String }, read }),
        McpResource.template("more://{id}", { name: "more", complete: { nr: () => Effect.succeed([]) } as {}, read })
      ]))
      const expected = [
        "\"notes://twice\": the URI stands twice",
        "\"relative/path\": a URI must be absolute",
        "\"notes://a#b\": the URI of a resource has no fragment",
        "\"notes://a\nb\": a URI holds no spaces",
        "a URI has at most 8192 characters",
        "\"notes://unnamed\": a resource must have a name",
        "\"notes://cache\": the cache's ttlMs",
        "\"notes://cache\": what needs scopes cannot be cached as public",
        "\"notes://{a\": the brace at character 8",
        "\"{+all}\": a template must begin with a scheme",
        "\"notes://x{#f}\": the URI of a resource has no fragment",
        "\"same://{id}\": the template stands twice",
        "\"other://{id}\": the parameter \"ident\" is not in the template",
        "\"other://{id}\": the variable \"id\" has no parameter",
        "\"more://{id}\": the completed \"nr\" is not in the template"
      ]
      assert.lengthOf(error.problems, expected.length)
      for (const problem of expected) assert.include(error.message, problem)
    }))
})

describe("ResourceRegistry.read", () => {
  it.effect("says of a resource that is not there which one it was", () =>
    Effect.gen(function*() {
      const registry = yield* ResourceRegistry.make([readme])
      const exit = registry.read(request("notes://none"))
      assert.isTrue(Exit.isExit(exit))
      const error = yield* Effect.flip(exit)
      assert.deepInclude(error, { code: -32602, message: "Resource not found", data: { uri: "notes://none" } })
      for (const uri of ["", "constructor", "__proto__", "x".repeat(50_000)]) {
        assert.strictEqual((yield* Effect.flip(registry.read(request(uri)))).code, -32602)
      }
    }))

  it.effect("answers a caller without the scopes exactly as if there were nothing", () =>
    Effect.gen(function*() {
      const read = () => Effect.succeed(McpResource.text("secret"))
      const registry = yield* ResourceRegistry.make([
        McpResource.make("notes://shut", { name: "shut", scopes: ["notes:admin"], read }),
        McpResource.template("vault://{id}", { name: "vault", scopes: ["notes:admin"], read }),
        McpResource.template("notes://{id}", { name: "any", read: ({ id }) => Effect.succeed(McpResource.text(id)) })
      ])
      const shut = yield* Effect.flip(registry.read(request("notes://shut", reader)))
      const vault = yield* Effect.flip(registry.read(request("vault://x", reader)))
      const nothing = yield* Effect.flip(registry.read(request("nothing://x", reader)))
      assert.deepStrictEqual([shut.code, shut.message, shut.data], [
        nothing.code,
        nothing.message,
        { uri: "notes://shut" }
      ])
      assert.deepStrictEqual([vault.code, vault.message, vault.data], [
        nothing.code,
        nothing.message,
        { uri: "vault://x" }
      ])
      assert.deepStrictEqual(textsOf(yield* registry.read(request("notes://shut"))), ["secret"])
    }))

  it.effect("tries templates in order, past those whose parameters do not fit", () =>
    Effect.gen(function*() {
      const registry = yield* ResourceRegistry.make([
        McpResource.template("items://{id}", {
          name: "by number",
          parameters: { id: Schema.NumberFromString.pipe(Schema.int()) },
          read: ({ id }) => Effect.succeed(McpResource.text(`number ${id + 1}`))
        }),
        McpResource.template("items://{colour}", {
          name: "by colour",
          parameters: { colour: Schema.Literal("red", "blue") },
          read: ({ colour }) => Effect.succeed(McpResource.text(`colour ${colour}`))
        })
      ])
      assert.deepStrictEqual(textsOf(yield* registry.read(request("items://41"))), ["number 42"])
      assert.deepStrictEqual(textsOf(yield* registry.read(request("items://red"))), ["colour red"])
      assert.strictEqual((yield* Effect.flip(registry.read(request("items://green")))).message, "Resource not found")
    }))

  it.effect("leaves out of the parameters what the URI leaves out", () =>
    Effect.gen(function*() {
      const registry = yield* ResourceRegistry.make([
        McpResource.template("search://docs{?q,limit}", {
          name: "search",
          parameters: {
            q: Schema.String,
            limit: Schema.NumberFromString.pipe(Schema.optionalWith({ default: () => 10 }))
          },
          read: (parameters) => Effect.succeed(McpResource.json(parameters))
        })
      ])
      const read = (uri: string) => Effect.map(registry.read(request(uri)), textsOf)
      assert.deepStrictEqual(yield* read("search://docs?q=a%20b"), ["{\"q\":\"a b\",\"limit\":10}"])
      assert.deepStrictEqual(yield* read("search://docs?limit=3&q=x"), ["{\"q\":\"x\",\"limit\":3}"])
      assert.strictEqual((yield* Effect.flip(read("search://docs?limit=3"))).code, -32602)
    }))

  it.effect("fills in the URI and the MIME type of each content unless they are given", () =>
    Effect.gen(function*() {
      const many = (mimeType: string | undefined) =>
        McpResource.make("many://all", {
          name: "many",
          ...(mimeType === undefined ? {} : { mimeType }),
          read: () =>
            Effect.succeed([
              McpResource.text("t", { uri: "many://1", mimeType: "text/plain" }),
              McpResource.json({ a: 1 }),
              McpResource.bytes(new Uint8Array([1, 2, 255]))
            ])
        })
      const read = (resource: McpResource.McpResource<never>) =>
        Effect.flatMap(
          ResourceRegistry.make([resource]),
          (registry) => Effect.map(registry.read(request("many://all")), (result) => completed(result).contents)
        )
      assert.deepStrictEqual(yield* read(many(undefined)), [
        { uri: "many://1", mimeType: "text/plain", text: "t" },
        { uri: "many://all", mimeType: "application/json", text: "{\"a\":1}" },
        { uri: "many://all", blob: "AQL/" }
      ])
      assert.deepStrictEqual((yield* read(many("x/y"))).map((content) => content.mimeType), [
        "text/plain",
        "x/y",
        "x/y"
      ])
    }))

  it.effect("never answers with no contents at all", () =>
    Effect.gen(function*() {
      const registry = yield* ResourceRegistry.make([fixed("none://x", () => Effect.succeed([]))])
      assert.strictEqual((yield* Effect.flip(registry.read(request("none://x")))).message, "Resource not found")
    }))

  it.effect("hands each handler the URI as the client wrote it, and its variables decoded", () =>
    Effect.gen(function*() {
      const registry = yield* ResourceRegistry.make([
        McpResource.template("x://{id}", {
          name: "x",
          read: ({ id }, { uri }) => Effect.succeed(McpResource.json([uri, id]))
        })
      ])
      assert.deepStrictEqual(textsOf(yield* registry.read(request("x://a%2Fb"))), [
        JSON.stringify(["x://a%2Fb", "a/b"])
      ])
    }))

  it.effect("lets nobody keep what depends on an answer", () =>
    Effect.gen(function*() {
      const cache = { ttlMs: 1000, scope: "private" } as const
      const registry = yield* ResourceRegistry.make([
        McpResource.make("x://asked", {
          name: "asked",
          cache,
          read: () => Effect.as(Ask.form("Well?", Schema.Struct({}), { key: "k" }), McpResource.text(""))
        }),
        McpResource.make("x://plain", { name: "plain", cache, read: () => Effect.sync(() => McpResource.text("")) })
      ])
      const read = (uri: string) =>
        Effect.map(
          registry.read({
            ...request(uri),
            asking: {
              ...RegistryLaws.inputs,
              memo: { answers: {}, steps: {}, open: ["k"] },
              responses: uri === "x://asked" ? { k: { action: "accept", content: {} } } : {}
            }
          }),
          (result) => completed(result).cache
        )
      assert.deepStrictEqual(yield* read("x://asked"), { ttlMs: 0, scope: "private" })
      assert.deepStrictEqual(yield* read("x://plain"), cache)
    }))
})

describe("ResourceRegistry.list", () => {
  const read = () => Effect.succeed(McpResource.text(""))

  it.effect("shows each caller what it may see, the same array as long as nothing changes", () =>
    Effect.gen(function*() {
      const registry = yield* ResourceRegistry.make([
        readme,
        McpResource.make("notes://shut", { name: "shut", scopes: ["notes:admin"], read }),
        McpResource.template("notes://{id}", {
          name: "note",
          description: "One note",
          annotations: { audience: ["user"] },
          icons: [{ src: "https://example.com/i.png" }],
          read
        }),
        McpResource.template("vault://{id}", { name: "vault", scopes: ["notes:admin"], read })
      ])
      assert.deepStrictEqual(yield* registry.list(reader), [
        { uri: "notes://readme", name: "readme", title: "Read me", mimeType: "text/markdown", size: 5 }
      ])
      assert.deepStrictEqual(registry.templates(reader), [{
        uriTemplate: "notes://{id}",
        name: "note",
        description: "One note",
        annotations: { audience: ["user"] },
        icons: [{ src: "https://example.com/i.png" }]
      }])
      assert.lengthOf(yield* registry.list(Principal.local), 2)
      assert.lengthOf(registry.templates(Principal.make({ id: "a", scopes: ["notes:admin"] })), 2)
      assert.isTrue(Exit.isExit(registry.list(reader)))
      assert.strictEqual(yield* registry.list(reader), yield* registry.list(Principal.make({ id: "other" })))
      assert.strictEqual(registry.templates(reader), registry.templates(reader))
    }))

  it.effect("adds what templates list for this caller, each URI once", () =>
    Effect.gen(function*() {
      const registry = yield* ResourceRegistry.make([
        readme,
        McpResource.template("mine://{id}", {
          name: "mine",
          mimeType: "text/plain",
          read,
          list: (caller) =>
            Effect.map(Shelf, (shelf) => [
              { uri: `mine://${caller.id}-${shelf.size}`, name: "own" },
              { uri: "notes://readme", name: "twin" },
              { uri: "mine://b", name: "b", mimeType: "text/html" }
            ])
        }),
        McpResource.template("shut://{id}", {
          name: "shut",
          scopes: ["notes:admin"],
          read,
          list: () => Effect.succeed([{ uri: "shut://1", name: "1" }])
        })
      ])
      assert.deepStrictEqual(yield* registry.list(reader), [
        { uri: "notes://readme", name: "readme", title: "Read me", mimeType: "text/markdown", size: 5 },
        { uri: "mine://r-2", name: "own", mimeType: "text/plain" },
        { uri: "mine://b", name: "b", mimeType: "text/html" }
      ])
    }).pipe(Effect.provide(shelf)))

  it.effect("lists the rest when one template cannot list, and says so in the log", () =>
    Effect.gen(function*() {
      const lines: Array<string> = []
      const logger = Logger.make(({ message }) => {
        lines.push(String(message))
      })
      const registry = yield* ResourceRegistry.make([
        readme,
        McpResource.template("down://{id}", { name: "down", read, list: () => Effect.fail(unavailable("Down.")) }),
        McpResource.template("slow://{id}", { name: "slow", read, list: () => Effect.never })
      ], { timeout: "1 second" })
      const fiber = yield* Effect.fork(
        Effect.provide(registry.list(reader), Logger.replace(Logger.defaultLogger, logger))
      )
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual((yield* Fiber.join(fiber)).map(({ uri }) => uri), ["notes://readme"])
      assert.sameMembers(lines, [
        "Resources of down://{id} were not listed",
        "Resources of slow://{id} were not listed"
      ])
    }))
})

describe("ResourceRegistry.complete", () => {
  const read = () => Effect.succeed(McpResource.text(""))
  const resources = [
    readme,
    McpResource.template("files://{colour}/{id}{?plain}", {
      name: "files",
      parameters: {
        colour: Schema.Literal("Red", "green", "grey"),
        id: Schema.NumberFromString,
        plain: Schema.optional(Schema.String)
      },
      read,
      complete: {
        id: (value, context) =>
          Effect.map(Shelf, (shelf) => [`${value}${shelf.size}`, context.caller.id, context.arguments.colour ?? "none"])
      }
    }),
    McpResource.template("many://{id}", {
      name: "many",
      scopes: ["notes:admin"],
      read,
      complete: { id: () => Effect.succeed(Array.from({ length: 250 }, (_, n) => String(n))) }
    })
  ] as const
  const ask = (uri: string, name: string, value: string, caller = Principal.local) =>
    Effect.flatMap(
      Effect.orDie(ResourceRegistry.make(resources)),
      (registry) => registry.complete({ uri, argument: { name, value }, context: { colour: "Red" }, caller })
    ).pipe(Effect.provide(shelf))

  it.effect("asks the template's own completion, with the caller and what was chosen", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* ask("files://{colour}/{id}{?plain}", "id", "1", reader), {
        values: ["12", "r", "Red"],
        total: 3,
        hasMore: false
      })
    }))

  it.effect("gives 100 values at most and says how many there are", () =>
    Effect.gen(function*() {
      const { hasMore, total, values } = yield* ask("many://{id}", "id", "")
      assert.deepStrictEqual([values.length, values[99], total, hasMore], [100, "99", 250, true])
    }))

  it.effect("completes literals by themselves, and nothing where it knows none", () =>
    Effect.gen(function*() {
      const uri = "files://{colour}/{id}{?plain}"
      assert.deepStrictEqual((yield* ask(uri, "colour", "GRE")).values, ["green", "grey"])
      assert.deepStrictEqual((yield* ask(uri, "colour", "r")).values, ["Red"])
      assert.deepStrictEqual(yield* ask(uri, "plain", ""), { values: [], total: 0, hasMore: false })
    }))

  it.effect("refuses a template or a variable that this caller cannot know", () =>
    Effect.gen(function*() {
      for (const uri of ["none://{id}", "notes://readme", "many://{id}"]) {
        const error = yield* Effect.flip(ask(uri, "id", "", reader))
        assert.deepStrictEqual([error.code, error.message], [-32602, "Unknown resource template"], uri)
      }
      const error = yield* Effect.flip(ask("many://{id}", "nr", ""))
      assert.deepStrictEqual([error.code, error.message], [-32602, "The template has no variable \"nr\""])
    }))

  it.effect("fails as a read would", () =>
    Effect.gen(function*() {
      const registry = yield* ResourceRegistry.make([
        McpResource.template("x://{id}", { name: "x", read, complete: { id: () => Effect.fail(unavailable("Down.")) } })
      ])
      const error = yield* Effect.flip(
        registry.complete({ uri: "x://{id}", argument: { name: "id", value: "" }, context: {}, caller: reader })
      )
      assert.deepStrictEqual([error.code, error.message], [-32603, "Down."])
    }))
})

describe("ResourceRegistry.remove", () => {
  it.effect("takes a template away as it takes a resource", () =>
    Effect.gen(function*() {
      const { changes, events } = RegistryLaws.recorded()
      const registry = yield* Effect.provideService(
        ResourceRegistry.make([note, readme]),
        Changes.Changes,
        changes
      )
      assert.isTrue(yield* registry.remove("notes://{id}"))
      assert.isFalse(yield* registry.remove("notes://{id}"))
      assert.deepStrictEqual(registry.templates(reader), [])
      assert.strictEqual((yield* Effect.flip(registry.read(request("notes://a")))).message, "Resource not found")
      assert.deepStrictEqual(textsOf(yield* registry.read(request("notes://readme"))), ["Hello"])
      assert.deepStrictEqual(events, ["ResourcesChanged"])
    }).pipe(Effect.provide(shelf)))
})

const laid = (entries: RegistryLaws.Entries<ResourceError>) =>
  Object.entries(entries).map(([key, entry]) => {
    const { run, scopes = [] } = RegistryLaws.entryOf(entry)
    return McpResource.make(`x://${key}`, {
      name: key,
      scopes,
      read: RegistryLaws.giving(run, (text) => McpResource.text(text))
    })
  })

RegistryLaws.suite<ResourceError, ReadResult>("ResourceRegistry", {
  noun: "resource",
  changed: "ResourcesChanged",
  unavailable,
  wrongKey: "a b",
  textOf: ({ contents: [content] }) => content?.text,
  open: (entries, timeout) =>
    Effect.map(ResourceRegistry.make(laid(entries), { timeout }), (registry) => ({
      call: (key, given) => registry.read({ ...given, uri: `x://${key}` }),
      list: registry.list,
      add: (entries) => registry.add(...laid(entries)),
      remove: (key) => registry.remove(`x://${key}`)
    }))
})
