import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import { spawn } from "node:child_process"
import { fileURLToPath } from "node:url"
import * as FixtureServer from "../transport/FixtureServer.js"

const program = fileURLToPath(new URL("./stdio-fixture.ts", import.meta.url))

const line = (message: unknown): string => `${JSON.stringify(message)}\n`
const echo = line(FixtureServer.modern("echo", "echo", { text: "hello" }))

const start = (...args: ReadonlyArray<string>) =>
  Effect.gen(function*() {
    const child = yield* Effect.acquireRelease(
      Effect.sync(() => spawn(process.execPath, ["--import", "tsx", program, ...args])),
      (child) => Effect.sync(() => child.kill("SIGKILL"))
    )
    const seen = { out: "", err: "" }
    child.stdout.on("data", (chunk: Buffer) => {
      seen.out += chunk.toString()
    })
    child.stderr.on("data", (chunk: Buffer) => {
      seen.err += chunk.toString()
    })
    child.stdin.on("error", () => {})
    const until = (what: string, isSo: () => boolean) =>
      Effect.suspend(() => isSo() ? Effect.void : Effect.fail("not yet")).pipe(
        Effect.retry(Schedule.spaced("5 millis")),
        Effect.timeoutFail({ duration: "15 seconds", onTimeout: () => `${what}: ${JSON.stringify(seen)}` })
      )
    yield* until("start", () => seen.err.includes("running 0"))
    const exited = until("exit", () => child.exitCode !== null || child.signalCode !== null)
    /** Milliseconds from now until the process has gone. */
    const timeToExit = Effect.suspend(() => {
      const began = performance.now()
      return Effect.map(exited, () => performance.now() - began)
    })
    return { child, seen, until, timeToExit }
  })

describe("StdioTransport in a process of its own", () => {
  for (const [how, args] of [["alone", []], ["beside another layer", ["--beside"]]] as const) {
    it.scopedLive(`exits with 0 within a second when the input ends, built ${how}`, () =>
      Effect.gen(function*() {
        const { child, seen, timeToExit, until } = yield* start(...args)
        child.stdin.write(echo)
        yield* until("answer", () => seen.out.includes("hello"))
        child.stdin.end()
        assert.isBelow(yield* timeToExit, 1000)
        assert.strictEqual(child.exitCode, 0)
      }))
  }

  it.scopedLive("exits with 0 within a second when the input ends in a call, and runs the call's finalizer", () =>
    Effect.gen(function*() {
      const { child, seen, timeToExit, until } = yield* start()
      child.stdin.write(line(FixtureServer.modern(1, "never", {})))
      yield* until("call", () => seen.err.includes("running 1"))
      child.stdin.end()
      assert.isBelow(yield* timeToExit, 1000)
      assert.strictEqual(child.exitCode, 0)
      yield* until("finalizer", () => /running 1\nrunning 0\n/.test(seen.err))
    }))

  for (const [how, args] of [["alone", []], ["beside another layer", ["--beside"]]] as const) {
    it.scopedLive(`exits within a second though a call cannot be interrupted, built ${how}`, () =>
      Effect.gen(function*() {
        const { child, seen, timeToExit, until } = yield* start(...args)
        child.stdin.write(line(FixtureServer.modern(1, "stubborn", { ms: 10_000 })))
        yield* until("call", () => seen.err.includes("running 1"))
        child.stdin.end()
        assert.isBelow(yield* timeToExit, 1000)
        assert.strictEqual(child.exitCode, 0)
      }))
  }

  it.scopedLive("answers everything that came before the end of the input", () =>
    Effect.gen(function*() {
      const { child, seen, timeToExit, until } = yield* start()
      const texts = Array.from({ length: 2000 }, (_, id) =>
        line(FixtureServer.modern(id, "echo", { text: "x".repeat(500) })))
      child.stdin.end(texts.join("") + line(FixtureServer.modern("last", "slow", { ms: 100 })))
      yield* timeToExit
      assert.strictEqual(child.exitCode, 0)
      yield* until("output", () =>
        seen.out.trim().split("\n").length === 2001)
    }))

  it.scopedLive("keeps what a handler prints out of standard output", () =>
    Effect.gen(function*() {
      const { child, seen, until } = yield* start()
      child.stdin.write(line(FixtureServer.modern("chat", "chat", {})) + echo)
      yield* until("answers", () => seen.out.includes("said") && seen.out.includes("hello"))
      const ids = seen.out.trim().split("\n").map((text) => JSON.parse(text).id)
      assert.sameMembers(ids, ["chat", "echo"])
      yield* until("what was printed", () => seen.err.split("this must not reach the client").length === 5)
    }))

  it.scopedLive("serves on when nobody reads standard error any more", () =>
    Effect.gen(function*() {
      const { child, seen, until } = yield* start()
      child.stderr.destroy()
      yield* until("closing", () => child.stderr.closed)
      for (let id = 0; id < 3; id++) {
        child.stdin.write(line(FixtureServer.modern(id, "chat", {})))
        yield* until("answer", () => seen.out.includes(`"id":${id}`))
      }
      child.stdin.write(echo)
      yield* until("echo", () => seen.out.includes("hello"))
    }))

  it.scopedLive("exits within a second when the client no longer reads", () =>
    Effect.gen(function*() {
      const { child, seen, timeToExit, until } = yield* start()
      child.stdin.write(echo)
      yield* until("answer", () => seen.out.includes("hello"))
      child.stdout.destroy()
      child.stdin.write(echo)
      assert.isBelow(yield* timeToExit, 1000)
      assert.strictEqual(child.exitCode, 0)
    }))

  it.scopedLive("waits for a client that reads slowly, and loses nothing", () =>
    Effect.gen(function*() {
      const { child, seen, until } = yield* start()
      child.stdout.pause()
      const text = "x".repeat(100_000)
      for (let id = 0; id < 100; id++) child.stdin.write(line(FixtureServer.modern(id, "echo", { text })))
      // The server has stopped to read: what it was sent waits on this side, and goes on waiting.
      let left = 0
      let looks = 0
      yield* until("standstill", () => {
        looks = child.stdin.writableLength === left ? looks + 1 : 0
        left = child.stdin.writableLength
        return looks > 40
      })
      assert.isAbove(left, 0)
      child.stdout.resume()
      yield* until("all answers", () => seen.out.split("\n").length === 101)
    }))

  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    it.scopedLive(`closes its scope on ${signal}`, () =>
      Effect.gen(function*() {
        const { child, seen, timeToExit, until } = yield* start()
        child.stdin.write(line(FixtureServer.modern(1, "never", {})))
        yield* until("call", () => seen.err.includes("running 1"))
        child.kill(signal)
        assert.isBelow(yield* timeToExit, 1000)
        yield* until("finalizer", () => /running 1\nrunning 0\n/.test(seen.err))
      }))
  }

  it.scopedLive("keeps what is logged while the server is built off standard output", () =>
    Effect.gen(function*() {
      const child = yield* Effect.acquireRelease(
        Effect.sync(() =>
          spawn(process.execPath, ["--import", "tsx", fileURLToPath(new URL("./vague-tool.ts", import.meta.url))])
        ),
        (started) => Effect.sync(() => started.kill("SIGKILL"))
      )
      const [out, err] = yield* Effect.promise(() => {
        child.stdin.end(line({
          jsonrpc: "2.0",
          id: 1,
          method: "tools/list",
          params: FixtureServer.modern(1, "", {}).params
        }))
        return Promise.all([child.stdout, child.stderr].map(async (stream) => {
          let text = ""
          for await (const chunk of stream) text += String(chunk)
          return text
        }))
      })
      assert.lengthOf(JSON.parse(out ?? "").result.tools, 1)
      assert.include(err, "opening the data")
      assert.include(err, "vague")
    }))
})
