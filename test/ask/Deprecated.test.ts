import { assert, describe, it } from "@effect/vitest"
import * as Ask from "causeway-mcp/ask/Ask"
import type * as Asking from "causeway-mcp/ask/Asking"
import * as Deprecated from "causeway-mcp/ask/Deprecated"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import { accept, play } from "./Rounds.js"

const params: Deprecated.SampleParams = {
  messages: [{ role: "user", content: { type: "text", text: "Say yes" } }],
  maxTokens: 10
}
const said = { role: "assistant", content: { type: "text", text: "yes" }, model: "small" } as const

describe("Deprecated.sample", () => {
  it.effect("succeeds with what the client's model said", () =>
    Effect.gen(function*() {
      const { asked, exit } = yield* play(
        Deprecated.sample(params, { key: "said" }),
        () => ({ said: { ...said, stopReason: "endTurn", extra: true } })
      )
      assert.deepStrictEqual(exit, Exit.succeed({ ...said, stopReason: "endTurn" }))
      assert.deepStrictEqual(asked, [{ said: { method: "sampling/createMessage", params: { ...params } } }])
    }))
  it.effect("takes several blocks, tool uses as they came", () =>
    Effect.gen(function*() {
      const input = JSON.parse("{\"__proto__\":{\"a\":1},\"b\":[2]}")
      const content = [
        { type: "text", text: "wait" },
        { type: "tool_use", id: "1", name: "look", input, _meta: { cache: 1 } }
      ]
      const { exit } = yield* play(
        Deprecated.sample(params, { key: "said" }),
        () => ({ said: { ...said, content, stopReason: "toolUse" } })
      )
      assert.deepStrictEqual(
        JSON.stringify(exit.pipe(Exit.map(({ content }) => content), Exit.getOrElse(() => []))),
        JSON.stringify(content)
      )
    }))
  it.effect("asks again for a result of another shape", () =>
    Effect.gen(function*() {
      const { asked, exit } = yield* play(Deprecated.sample(params, { key: "said" }), (_, round) =>
        [
          { said: { ...said, role: "system" } },
          { "said-2": { ...said, content: "yes" } },
          { "said-3": { ...said, content: [{ type: "tool_use", id: "1", name: "look", input: "b" }] } },
          { "said-4": said }
        ][round - 1] ?? {})
      assert.deepStrictEqual(exit, Exit.succeed(said))
      assert.deepStrictEqual(asked.map(Object.keys), [["said"], ["said-2"], ["said-3"], ["said-4"]])
      assert.deepStrictEqual(asked[3]?.["said-4"], asked[0]?.said)
    }))
})

describe("Deprecated.roots", () => {
  it.effect("succeeds with the client's folders", () =>
    Effect.gen(function*() {
      const roots = [{ uri: "file:///home/ada", name: "Home" }, { uri: "file:///srv" }]
      const { asked, exit } = yield* play(Deprecated.roots(), () => ({ "ask-1": { roots } }))
      assert.deepStrictEqual(exit, Exit.succeed(roots))
      assert.deepStrictEqual(asked, [{ "ask-1": { method: "roots/list", params: {} } }])
    }))
  it.effect("asks again for a result of another shape", () =>
    Effect.gen(function*() {
      const { asked, exit } = yield* play(
        Deprecated.roots(),
        (_, round) => round === 1 ? { "ask-1": { roots: [{ name: "no uri" }] } } : { "ask-1-2": { roots: [] } }
      )
      assert.deepStrictEqual(exit, Exit.succeed([]))
      assert.deepStrictEqual(asked.map(Object.keys), [["ask-1"], ["ask-1-2"]])
    }))
})

describe("deprecated questions", () => {
  it.effect("are asked together with others", () =>
    Effect.gen(function*() {
      const all = Ask.all({
        name: Ask.form("Name?", Schema.Struct({ name: Schema.String })),
        said: Deprecated.sample(params),
        roots: Deprecated.roots()
      })
      const { asked, exit } = yield* play(all, () => ({ name: accept({ name: "Ada" }), said, roots: { roots: [] } }))
      assert.deepStrictEqual(exit, Exit.succeed({ name: { name: "Ada" }, said, roots: [] }))
      assert.deepStrictEqual(asked.map(Object.keys), [["name", "said", "roots"]])
    }))
  it.effect("are supported by a client that declares each part they need", () =>
    Effect.gen(function*() {
      const supported = (question: Ask.Question<unknown>, capabilities: Asking.Inputs["clientCapabilities"]) =>
        Effect.map(play(Ask.isSupported(question), () => ({}), capabilities), ({ exit }) => exit)
      const plain = Deprecated.sample(params)
      const tools = Deprecated.sample({ ...params, toolChoice: { mode: "auto" } })
      const context = Deprecated.sample({ ...params, includeContext: "thisServer" })
      const alone = Deprecated.sample({ ...params, includeContext: "none" })
      const yes = Exit.succeed(true)
      const no = Exit.succeed(false)
      assert.deepStrictEqual(yield* supported(plain, {}), no)
      assert.deepStrictEqual(yield* supported(plain, { sampling: {} }), yes)
      assert.deepStrictEqual(yield* supported(alone, { sampling: {} }), yes)
      assert.deepStrictEqual(yield* supported(tools, { sampling: {} }), no)
      assert.deepStrictEqual(yield* supported(tools, { sampling: { tools: {} } }), yes)
      assert.deepStrictEqual(yield* supported(context, { sampling: { tools: {} } }), no)
      assert.deepStrictEqual(yield* supported(context, { sampling: { context: {} } }), yes)
      assert.deepStrictEqual(yield* supported(Deprecated.roots(), { sampling: {} }), no)
      assert.deepStrictEqual(yield* supported(Deprecated.roots(), { roots: {} }), yes)
    }))
})
