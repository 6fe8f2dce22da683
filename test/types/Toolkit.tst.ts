import * as Ask from "causeway-mcp/ask/Ask"
import * as Protect from "causeway-mcp/middleware/Protect"
import * as Backoff from "causeway-mcp/policy/Backoff"
import * as Policy from "causeway-mcp/policy/Policy"
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
    expect(Toolkit.make(reads, writes)).type.toBe<Toolkit.Toolkit<Store | Clockwork>>()
    expect(Toolkit.make(repeats)).type.toBe<Toolkit.Toolkit<never>>()
    expect(Toolkit.merge(Toolkit.make(reads), Toolkit.make(writes))).type.toBe<Toolkit.Toolkit<Store | Clockwork>>()
  })
  test("requires a store for tasks once a tool may be one", () => {
    const long = Tool.make("a_tool", { description: "", success: Schema.String, safety: "readOnly", task: "optional" })
      .implement(() => Effect.flatMap(Store, (store) => Evidence.computed("a", store)))
    expect(Toolkit.make(reads, long)).type.toBe<Toolkit.Toolkit<Store | TaskStore>>()
  })
  test("requires nothing for questions", () => {
    const asks = contract("effectful").implement(() =>
      Effect.flatMap(
        Ask.form("Sure?", Schema.Struct({ sure: Schema.Boolean })),
        ({ sure }) => Evidence.computed("a", String(sure))
      )
    )
    expect(Toolkit.make(asks)).type.toBe<Toolkit.Toolkit<never>>()
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
