import { assert, describe, it } from "@effect/vitest"
import * as TraceContext from "causeway-mcp/telemetry/TraceContext"
import * as FastCheck from "effect/FastCheck"
import * as Option from "effect/Option"
import type * as Tracer from "effect/Tracer"

const traceId = "0af7651916cd43dd8448eb211c80319c"
const spanId = "b7ad6b7169203331"
const good = `00-${traceId}-${spanId}-01`

const wrong: ReadonlyArray<readonly [string, unknown]> = [
  ["nothing", undefined],
  ["a number", 7],
  ["an empty text", ""],
  ["a list", [good]],
  ["letters in upper case", good.toUpperCase()],
  ["a trace of zeros", `00-${"0".repeat(32)}-${spanId}-01`],
  ["a span of zeros", `00-${traceId}-${"0".repeat(16)}-01`],
  ["the version that is none", `ff-${traceId}-${spanId}-01`],
  ["version 00 with more behind it", `${good}-more`],
  ["no flags", `00-${traceId}-${spanId}`],
  ["a short trace", `00-${traceId.slice(1)}-${spanId}-01`],
  ["a long span", `00-${traceId}-${spanId}0-01`],
  ["space around", ` ${good}`],
  ["the end of a line behind", `${good}\n`],
  ["two in one header", `${good}, ${good}`],
  ["a later version with more and no dash", `01-${traceId}-${spanId}-01x`],
  ["a later version that goes on for ever", `01-${traceId}-${spanId}-01-${"x".repeat(300)}`]
]

const states: ReadonlyArray<readonly [string, string, string | undefined]> = [
  ["one member", "congo=t61rcWkgMzE", "congo=t61rcWkgMzE"],
  ["members with space between", "a=1 ,\tb=2", "a=1,b=2"],
  ["an empty member", "a=1,,b=2", "a=1,b=2"],
  ["a key with a tenant", "0tenant@system=x", "0tenant@system=x"],
  ["a value with a space within", "a=x y", "a=x y"],
  ["nothing", "", undefined],
  ["a key twice", "a=1,a=2", undefined],
  ["a key in upper case", "A=1", undefined],
  ["a key that begins with a digit", "1a=1", undefined],
  ["no value", "a=", undefined],
  ["no key", "=1", undefined],
  ["a value with an equals sign", "a=b=c", undefined],
  ["a value beyond ASCII", "a=ü", undefined],
  ["the end of a line", "a=1\r\nx: y", undefined],
  ["33 members", Array.from({ length: 33 }, (_, n) => `k${n}=1`).join(","), undefined],
  ["more than 512 characters", `a=${"x".repeat(200)},b=${"x".repeat(200)},c=${"x".repeat(200)}`, undefined]
]

describe("TraceContext", () => {
  it("reads what the specification writes", () => {
    assert.deepStrictEqual(TraceContext.parse(good), { traceId, spanId, isSampled: true })
    assert.deepStrictEqual(TraceContext.parse(`00-${traceId}-${spanId}-00`), { traceId, spanId, isSampled: false })
  })

  it("reads the one flag that it knows, and later versions as far as they are known", () => {
    for (const [flags, isSampled] of [["02", false], ["03", true], ["fe", false], ["ff", true]] as const) {
      assert.strictEqual(TraceContext.parse(`00-${traceId}-${spanId}-${flags}`)?.isSampled, isSampled)
    }
    for (const more of ["", "-", "-what-comes-later"]) {
      assert.deepStrictEqual(TraceContext.parse(`cc-${traceId}-${spanId}-01${more}`), {
        traceId,
        spanId,
        isSampled: true
      })
    }
  })

  for (const [what, given] of wrong) {
    it(`takes ${what} for no trace`, () => {
      assert.isUndefined(TraceContext.parse(given, "a=1"))
    })
  }

  for (const [what, given, expected] of states) {
    it(`reads a state with ${what} as ${expected === undefined ? "none" : "it stands"}`, () => {
      assert.strictEqual(TraceContext.parse(good, given)?.state, expected)
    })
  }

  it("never throws, and gives nothing that breaks a rule", () => {
    const pieces = FastCheck.oneof(
      FastCheck.string({ maxLength: 80 }),
      FastCheck.stringMatching(/^[0-9a-f]{2}-[0-9a-f]{30,33}-[0-9a-f]{15,17}-[0-9a-f]{2}(?:-.{0,5})?$/u),
      FastCheck.anything()
    )
    FastCheck.assert(FastCheck.property(pieces, pieces, (parent, state) => {
      const read = TraceContext.parse(parent, state)
      if (read === undefined) return
      assert.deepStrictEqual(TraceContext.parse(TraceContext.format(read), read.state), read)
      assert.match(TraceContext.format(read), /^00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]$/u)
    }))
  })

  it("looks at members of its own alone", () => {
    assert.isUndefined(TraceContext.fromMeta(Object.create({ traceparent: good })))
    assert.deepStrictEqual(TraceContext.fromMeta({ traceparent: good, tracestate: "a=1" })?.state, "a=1")
    assert.isUndefined(TraceContext.fromMeta({}))
  })

  it("goes on from a span to another server, with the state it came with", () => {
    const outer = TraceContext.toSpan({ traceId, spanId, isSampled: true, state: "a=1" })
    const inner: Tracer.AnySpan = {
      ...({ _tag: "Span", name: "x", kind: "internal", status: { _tag: "Started", startTime: 0n } } as const),
      ...{ traceId, spanId: "c".repeat(16), sampled: true, context: outer.context, attributes: new Map(), links: [] },
      ...{ parent: Option.some(outer), end() {}, attribute() {}, event() {}, addLinks() {} }
    }
    const context = TraceContext.fromSpan(inner)
    assert.deepStrictEqual(context && TraceContext.toMeta(context), {
      traceparent: `00-${traceId}-${"c".repeat(16)}-01`,
      tracestate: "a=1"
    })
    assert.isUndefined(TraceContext.fromSpan({ ...outer, traceId: "noop" }))
  })
})
