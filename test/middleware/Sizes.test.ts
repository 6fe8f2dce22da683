import { assert, describe, it } from "@effect/vitest"
import * as Policy from "causeway-mcp/policy/Policy"
import * as Evidence from "causeway-mcp/tool/Evidence"
import * as Tool from "causeway-mcp/tool/Tool"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import * as Schema from "effect/Schema"
import * as Bench from "./bench.js"

const answering = (data: unknown, policy: Policy.Any = Policy.sizeLimit({ result: 2000 })) =>
  Effect.flatMap(
    Bench.registry([Bench.handler(policy, () => Evidence.computed("x", data))]),
    (registry) => Bench.answer(registry)
  )

const rows = (count: number, row: unknown = { id: 1, text: "some text" }) => Array.from({ length: count }, () => row)

describe("Policy.sizeLimit", () => {
  it.scoped("refuses arguments that are too large, by their bytes, before they are decoded", () =>
    Effect.gen(function*() {
      const handler = Bench.handler(Policy.sizeLimit({ input: 100 }), ({ text }) => Evidence.computed("x", text))
      const registry = yield* Bench.registry([handler])
      const call = (text: unknown) => Bench.answer(registry, { arguments: { text } })
      assert.isFalse((yield* call("x".repeat(89))).isError)
      const body = Bench.bodyOf(yield* call("x".repeat(90)))
      assert.deepInclude(body, {
        code: "invalid_input",
        message: "The arguments of echo_text have 101 bytes; they may have 100 bytes."
      })
      assert.isTrue((yield* call("ä".repeat(50))).isError)
      assert.include(Bench.bodyOf(yield* call(rows(50))).message, "they may have 100 bytes")
      const deep: { a?: unknown } = {}
      deep.a = deep
      assert.include(Bench.bodyOf(yield* call(deep)).message, "more than can be written")
    }))

  it.scoped("cuts the longest list of an answer, and says how much of it is missing", () =>
    Effect.gen(function*() {
      const result = yield* answering({ few: rows(2), rows: rows(500) })
      const { confidence, data, degraded } = Bench.envelopeOf(result)
      const { few, rows: left } = data as {
        readonly few: ReadonlyArray<unknown>
        readonly rows: ReadonlyArray<unknown>
      }
      assert.deepStrictEqual([few.length, confidence], [2, 1])
      assert.isAtLeast(left.length, 20)
      assert.deepStrictEqual(degraded, {
        reason: `the answer was too large: ${
          500 - left.length
        } of 500 items of data.rows were left out; ask for less to see them`,
        missing: []
      })
      assert.isAtMost(Buffer.byteLength(result.structuredJson ?? ""), 2000)
    }))

  it.scoped("cuts several lists when one is not enough, and fails when lists are not", () =>
    Effect.gen(function*() {
      const { degraded } = Bench.envelopeOf(yield* answering({ one: rows(60), other: rows(59) }))
      assert.match(degraded?.reason ?? "", /59 of 60 items of data\.one, \d+ of 59 items of data\.other were left out/u)
      const body = Bench.bodyOf(yield* answering({ text: "x".repeat(5000) }))
      assert.deepInclude(body, { code: "degraded_only", retryable: false })
      assert.include(body.message, "Ask for less")
    }))

  it.scoped("fails when what is left would not be what the tool declares", () =>
    Effect.gen(function*() {
      const pairs = Tool.withTerms({ policy: Policy.sizeLimit({ result: 2000 }) })(
        Tool.make("equal_lists", {
          description: "Gives a list of exactly 200 texts",
          safety: "readOnly",
          success: Schema.Array(Schema.String).pipe(Schema.itemsCount(200))
        }).implement(() => Evidence.computed("x", rows(200, "some text") as ReadonlyArray<string>))
      )
      const registry = yield* Bench.registry([pairs])
      assert.strictEqual(Bench.bodyOf(yield* Bench.answer(registry, { name: "equal_lists" })).code, "degraded_only")
    }))

  it.scoped("says of a raw answer in a note of its own what was cut, and cuts no content", () =>
    Effect.gen(function*() {
      const raw = (name: string, content: boolean) =>
        Tool.withTerms({ policy: Policy.sizeLimit({ result: 2000 }) })(
          Tool.raw(name, {
            description: "Gives many rows as they come",
            safety: "readOnly",
            success: Schema.Struct({ rows: Schema.Array(Schema.Unknown) })
          }).implement(() =>
            Effect.sync(() => ({
              structured: { rows: rows(500) },
              ...(content ? { content: [{ type: "text" as const, text: "x".repeat(3000) }] } : {})
            }))
          )
        )
      const registry = yield* Bench.registry([raw("raw_rows", false), raw("raw_content", true)])
      const { content, structuredJson } = yield* Bench.answer(registry, { name: "raw_rows" })
      assert.isAtMost(Buffer.byteLength(structuredJson ?? ""), 2000)
      assert.match(
        content.map((block) => block.type === "text" ? block.text : "").at(-1) ?? "",
        /of 500 items of rows/u
      )
      assert.strictEqual(Bench.bodyOf(yield* Bench.answer(registry, { name: "raw_content" })).code, "degraded_only")
    }))

  it.effect("gives no answer over the limit, and every answer within it whole", () =>
    Effect.promise(() =>
      FastCheck.assert(
        FastCheck.asyncProperty(
          FastCheck.array(FastCheck.jsonValue({ maxDepth: 3 }), { maxLength: 60 }),
          FastCheck.integer({ min: 1200, max: 3000 }),
          (data, most) =>
            Effect.runPromise(Effect.scoped(Effect.gen(function*() {
              const whole = yield* answering(data, Policy.none)
              const bytes = Buffer.byteLength(whole.structuredJson ?? "")
              const result = yield* answering(data, Policy.sizeLimit({ result: most }))
              if (bytes <= most) assert.deepStrictEqual(Bench.dataOf(result), Bench.dataOf(whole))
              else if (result.isError) assert.strictEqual(Bench.bodyOf(result).code, "degraded_only")
              else {
                assert.isAtMost(Buffer.byteLength(result.structuredJson ?? ""), most)
                assert.include(Bench.envelopeOf(result).degraded?.reason, "left out")
              }
            })))
        ),
        { numRuns: 150 }
      )
    ))
})

describe("Policy.minConfidence", () => {
  const weak = (policy: Policy.Any) => {
    const handler = Bench.handler(
      policy,
      () =>
        Effect.map(
          Evidence.source({ id: "x", kind: "computation" }),
          (source) => Evidence.make({ data: 1, confidence: 0.4, sources: [source] })
        )
    )
    return Effect.flatMap(Bench.registry([handler]), (registry) => Bench.answer(registry))
  }

  it.scoped("holds back what is less sure, and says how sure it is", () =>
    Effect.gen(function*() {
      const body = Bench.bodyOf(yield* weak(Policy.minConfidence(0.6)))
      assert.deepInclude(body, { code: "degraded_only", details: { confidence: 0.4, least: 0.6 } })
      assert.strictEqual(Bench.dataOf(yield* weak(Policy.minConfidence(0.4))), 1)
    }))

  it.scoped("marks it where it is told to, and leaves the confidence as it is", () =>
    Effect.gen(function*() {
      const { confidence, degraded } = Bench.envelopeOf(yield* weak(Policy.minConfidence(0.6, "mark")))
      assert.deepStrictEqual([confidence, degraded?.reason], [0.4, "less sure than 0.6, which is asked for"])
    }))
})
