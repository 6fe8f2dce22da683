import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { spawn } from "node:child_process"
import { readFileSync } from "node:fs"
import * as HostileTexts from "../conformance/wire/HostileTexts.js"
import * as Balanced from "./balanced.js"
import * as HostileHttp from "./hostileHttp.js"

const start = Effect.gen(function*() {
  const child = yield* Effect.acquireRelease(
    Effect.sync(() => spawn(process.execPath, ["--import", "tsx", "test/integration/hostileServer.ts", "--stdio"])),
    (child) => Effect.sync(() => child.kill("SIGKILL"))
  )
  const seen = { out: "", err: "" }
  child.stdout.on("data", (chunk: Buffer) => {
    seen.out += chunk.toString()
  })
  child.stderr.on("data", (chunk: Buffer) => {
    seen.err += chunk.toString()
  })
  let asked = 0
  /** Whether a good call is answered by this process. */
  const isServing = Effect.suspend(() => {
    const text = `good ${asked++}`
    child.stdin.write(`${JSON.stringify(HostileHttp.call("modern", text, { id: text }))}\n`)
    return Balanced.until(`${text} is answered`, () => seen.out.includes(`${text} of ${child.pid}"`))
  })
  yield* isServing
  return { child, seen, isServing }
})

/** A line in the place of which one error comes. */
const hostile: ReadonlyArray<readonly [what: string, line: string | Buffer, code: number]> = [
  ...HostileTexts.unparsable.map(([what, bytes]) => [what, bytes, -32700] as const),
  ...HostileTexts.oversized.map(([what, text]) => [what, text, -32600] as const),
  ["0xff 0xfe", Buffer.from([0xff, 0xfe]), -32700],
  ["an array", "[]", -32600],
  ["an array of one call", JSON.stringify([HostileHttp.call("modern", "x")]), -32600],
  ["null", "null", -32600],
  ["an id that is null", JSON.stringify(HostileHttp.call("modern", "x", { id: null })), -32600],
  ["a name that stands twice", `{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}`, -32600],
  ["a prototype for a message", `{"__proto__":{"jsonrpc":"2.0","id":1,"method":"ping"}}`, -32600],
  ["a line of 11 MiB", Buffer.alloc(11 * 1024 * 1024, "x"), -32700]
]

describe("StdioTransport under hostile input", () => {
  it.scopedLive(
    `answers each of ${hostile.length} bad lines with one error, and serves on in the same process`,
    () =>
      Effect.gen(function*() {
        const { child, isServing, seen } = yield* start
        for (const [what, line, code] of hostile) {
          seen.out = ""
          child.stdin.write(Buffer.concat([Buffer.from(line), Buffer.from("\n")]))
          yield* isServing
          const [answer, ...others] = seen.out.trim().split("\n").map((text) => JSON.parse(text))
          assert.strictEqual(answer.error?.code, code, what)
          assert.lengthOf(others, 1, what)
        }
        // The log is bounded, whatever came.
        assert.isAtMost(seen.err.split("A message was refused").length - 1, hostile.length)
        assert.isBelow(seen.err.length, 20_000)
      }),
    60_000
  )

  it.scopedLive("says nothing to answers, notifications and blank lines", () =>
    Effect.gen(function*() {
      const { child, isServing, seen } = yield* start
      seen.out = ""
      const answer = { jsonrpc: "2.0", id: "srv-00000000-0000-0000-0000-000000000000", result: {} }
      child.stdin.write(`\n \r\n${JSON.stringify(answer)}\n${JSON.stringify({ jsonrpc: "2.0", method: "none" })}\n`)
      yield* isServing
      assert.lengthOf(seen.out.trim().split("\n"), 1)
    }), 30_000)

  it.scopedLive(
    "holds no more for a line of 256 MiB without an end than for its longest line",
    () =>
      Effect.gen(function*() {
        const { child, isServing } = yield* start
        const memory = () =>
          Number(/VmHWM:\s+(\d+)/u.exec(readFileSync(`/proc/${child.pid}/status`, "utf8"))?.[1]) / 1024
        const before = memory()
        const block = Buffer.alloc(1024 * 1024, "x")
        for (let sent = 0; sent < 256; sent++) {
          if (!child.stdin.write(block)) {
            yield* Effect.async<void>((resume) => void child.stdin.once("drain", () => resume(Effect.void)))
          }
        }
        child.stdin.write("\n")
        yield* isServing
        assert.isBelow(memory() - before, 80)
      }),
    60_000
  )
})
