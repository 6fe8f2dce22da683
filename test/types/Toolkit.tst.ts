import * as Ask from "causeway-mcp/ask/Ask"
import * as Protect from "causeway-mcp/middleware/Protect"
import * as Backoff from "causeway-mcp/policy/Backoff"
import * as Policy from "causeway-mcp/policy/Policy"
import type { RateLimiter } from "causeway-mcp/policy/RateLimiter"
import type { ResultCache } from "causeway-mcp/policy/ResultCache"
import * as McpServer from "causeway-mcp/server/McpServer"
import type { TaskStore } from "causeway-mcp/task/TaskStore"
import * as Evidence from "causeway-mcp/tool/Evidence"
import * as Tool from "causeway-mcp/tool/Tool"
import * as ToolCall from "causeway-mcp/tool/ToolCall"
import * as Toolkit from "causeway-mcp/toolkit/Toolkit"
import type * as ToolRegistry from "causeway-mcp/toolkit/ToolRegistry"
import * as Registry from "causeway-mcp/toolkit/ToolRegistry"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { describe, expect, test } from "tstyche"

class Store extends Context.Tag("Store")<Store, string>() {}
class Clockwork extends Context.Tag("Clockwork")<Clockwork, number>() {}

const contract = <const S extends Tool.Safety>(safety: S) =>
  Tool.make("a_tool", { description: "A tool for type tests", success: Schema.String, safety })

const reads = contract("readOnly").implement(() => Effect.flatMap(Store, (store) => Evidence.computed("a", store)))
const repeats = contract("idempotent").implement(() => Evidence.computed("a", ""))
const writes = contract("effectful").implement(() =>
  Effect.gen(function*() {
    yield* Clockwork
    const caller = yield* ToolCall.caller
    return yield* Evidence.computed("a", caller.id)
  })
)

describe("Toolkit.make", () => {
  test("requires what the handlers need, less what each call brings along", () => {
    expect(Toolkit.make(reads, writes)).type.toBe<Toolkit.Toolkit<Store | Clockwork, "readOnly" | "effectful">>()
    expect(Toolkit.make(repeats)).type.toBe<Toolkit.Toolkit<never, "idempotent">>()
    expect(Toolkit.merge(Toolkit.make(reads), Toolkit.make(writes)))
      .type.toBe<Toolkit.Toolkit<Store | Clockwork, "readOnly" | "effectful">>()
  })
  test("requires a store for tasks once a tool may be one", () => {
    const long = Tool.make("a_tool", { description: "", success: Schema.String, safety: "readOnly", task: "optional" })
      .implement(() => Effect.flatMap(Store, (store) => Evidence.computed("a", store)))
    expect(Toolkit.make(reads, long)).type.toBe<Toolkit.Toolkit<Store | TaskStore, "readOnly">>()
  })
  test("requires nothing for questions", () => {
    const asks = contract("effectful").implement(() =>
      Effect.flatMap(
        Ask.form("Sure?", Schema.Struct({ sure: Schema.Boolean })),
        ({ sure }) => Evidence.computed("a", String(sure))
      )
    )
    expect(Toolkit.make(asks)).type.toBe<Toolkit.Toolkit<never, "effectful">>()
  })
  test("becomes a layer of exactly these requirements", () => {
    expect(Registry.layer(Toolkit.make(reads, writes))).type.toBe<
      Layer.Layer<ToolRegistry.ToolRegistry, ToolRegistry.ToolRegistryError, Store | Clockwork>
    >()
  })
})

describe("Protect.by", () => {
  const retry = Policy.retry(Backoff.patient)
  test("puts a retry only on a tool that is safe to repeat", () => {
    expect(Protect.by(retry)).type.toBeCallableWith(reads)
    expect(Protect.by(retry)).type.toBeCallableWith(repeats)
    expect(Protect.by(retry)).type.not.toBeCallableWith(writes)
  })
  test("sees a retry inside a joined policy", () => {
    const both = Policy.all(Policy.timeout("5 seconds"), retry)
    expect(Protect.by(both)).type.toBeCallableWith(reads)
    expect(Protect.by(both)).type.not.toBeCallableWith(writes)
  })
  test("puts a timeout on any tool", () => {
    expect(Protect.by(Policy.timeout("5 seconds"))).type.toBeCallableWith(writes)
  })
  test("keeps the handler's requirements in a pipe", () => {
    const protectedTool = reads.pipe(Protect.by(retry))
    expect<Tool.Requirements<typeof protectedTool>>().type.toBe<Store>()
    // @ts-expect-error is not assignable
    writes.pipe(Protect.by(retry))
  })
})

describe("a policy that keeps or shares answers", () => {
  const cache = Policy.cache({ timeToLive: "1 minute" })
  test("fits only a tool that is safe to repeat", () => {
    expect(Protect.by(Policy.coalesce)).type.toBeCallableWith(reads)
    expect(Protect.by(Policy.coalesce)).type.not.toBeCallableWith(writes)
    expect(Protect.by(cache)).type.toBeCallableWith(repeats)
    expect(Protect.by(cache)).type.not.toBeCallableWith(writes)
    expect(Protect.by(Policy.idempotent())).type.toBeCallableWith(writes)
    // @ts-expect-error is not assignable
    writes.pipe(Protect.by(Policy.coalesce))
  })
  test("fits only a toolkit of such tools", () => {
    const safe = Toolkit.make(reads, repeats)
    const mixed = Toolkit.make(reads, writes)
    const protect = Toolkit.protect(cache)
    expect(protect).type.toBeCallableWith(safe)
    expect(protect).type.not.toBeCallableWith(mixed)
    expect(Toolkit.protect(Policy.coalesce)).type.not.toBeCallableWith(mixed)
    expect(Toolkit.protect(Policy.retry(Backoff.quick))).type.not.toBeCallableWith(mixed)
    expect(Toolkit.protect(Policy.timeout("1 second"))).type.toBeCallableWith(mixed)
    // A toolkit that does not say how safe its tools are may hold any.
    expect(protect).type.not.toBeCallableWith(safe as Toolkit.Toolkit<Store>)
    // @ts-expect-error is not assignable
    mixed.pipe(Toolkit.protect(cache))
  })
})

describe("the services of a policy", () => {
  const limit = Policy.rateLimit({ limit: 1, window: "1 second" })
  test("are needed by the tool", () => {
    const limited = reads.pipe(Protect.by(limit))
    expect<Tool.Requirements<typeof limited>>().type.toBe<Store | RateLimiter>()
    const both = reads.pipe(Protect.by(limit), Protect.by(Policy.cache({ timeToLive: "1 second" })))
    expect<Tool.Requirements<typeof both>>().type.toBe<Store | RateLimiter | ResultCache>()
  })
  test("are needed by the toolkit, which stays as safe as it was", () => {
    expect(Toolkit.make(repeats).pipe(Toolkit.protect(limit))).type.toBe<Toolkit.Toolkit<RateLimiter, "idempotent">>()
  })
  test("are needed by the registry and the server", () => {
    expect(Registry.layer(Toolkit.make(reads), { policy: limit })).type.toBe<
      Layer.Layer<ToolRegistry.ToolRegistry, ToolRegistry.ToolRegistryError, Store | RateLimiter>
    >()
    const who = { name: "n", version: "1" }
    expect(McpServer.layerTools(Toolkit.make(reads), { ...who, policy: Policy.all(Policy.standard, limit) })).type.toBe<
      Layer.Layer<McpServer.McpServer, ToolRegistry.ToolRegistryError, Store | RateLimiter>
    >()
    expect(McpServer.layerTools(Toolkit.make(repeats), who)).type.toBe<
      Layer.Layer<McpServer.McpServer, ToolRegistry.ToolRegistryError, never>
    >()
    const of = McpServer.layerOf({ tools: Toolkit.make(reads) }, { ...who, policy: limit })
    expect<Layer.Layer.Context<typeof of>>().type.toBe<Store | RateLimiter>()
  })
})

describe("Tool.uses", () => {
  test("keeps the types of the handler", () => {
    expect(reads.pipe(Tool.uses(["model"]))).type.toBe<typeof reads>()
  })
})

describe("Tool.requires", () => {
  test("keeps the types of the handler, in a pipe and out of it", () => {
    expect(Tool.requires(reads, ["store"])).type.toBe<typeof reads>()
    expect(reads.pipe(Tool.requires(["store"], { tool: "other", why: "" }))).type.toBe<typeof reads>()
  })
})
