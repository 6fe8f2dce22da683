import { assert, describe, it } from "@effect/vitest"
import * as Principal from "causeway-mcp/auth/Principal"
import type { McpServer } from "causeway-mcp/server/McpServer"
import * as TransportLaws from "causeway-mcp/testing/TransportLaws"
import type * as HttpOutput from "causeway-mcp/transport/internal/HttpOutput"
import * as HttpStreams from "causeway-mcp/transport/internal/HttpStreams"
import * as Effect from "effect/Effect"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import * as FixtureServer from "./FixtureServer.js"

interface Target {
  reminders: number
}

const ignore = (): void => {}

const output: HttpOutput.Output<Target> = {
  reply: ignore,
  open: ignore,
  flush: ignore,
  isBehind: () => false,
  write: ignore,
  remind: (target) => {
    target.reminders += 1
  },
  end: ignore,
  wait: ignore,
  settle: ignore,
  run: () => Effect.runFork(Effect.never),
  peer: () => undefined
}

const make = () => {
  const server: typeof McpServer.Service = FixtureServer.make(TransportLaws.makeProbe())
  return HttpStreams.make<Target>({
    server,
    output,
    refusals: { note: ignore, close: ignore },
    run: ignore,
    maxStreams: 10
  })
}

const collectGarbage = Effect.promise(async () => {
  // Nothing that was looked at in this turn of the event loop is collected.
  await new Promise((resolve) => setImmediate(resolve))
  setFlagsFromString("--expose-gc")
  const collect: () => void = runInNewContext("gc")
  collect()
})

describe("HttpStreams", () => {
  it("reminds every open stream once in as many parts as there are, and none that has left", () => {
    const streams = make()
    const targets = Array.from({ length: 50 }, (): Target => ({ reminders: 0 }))
    for (const target of targets) streams.begin(target, [])
    const [first, ...others] = targets
    if (first !== undefined) streams.forget(first)
    for (let part = 0; part < HttpStreams.parts; part++) streams.keepAlive()
    assert.strictEqual(first?.reminders, 0)
    assert.deepStrictEqual([...new Set(others.map(({ reminders }) => reminders))], [1])
  })

  it("ends the streams of a caller whose credential was withdrawn, and no other", () => {
    const streams = make()
    const ended: Array<string> = []
    const callers = ["ada", "bob", "eve"].map((id) => Principal.make({ id }))
    for (const caller of callers) {
      const end = (): void => {
        ended.push(caller.id)
        streams.drop(end)
      }
      streams.hold(end, caller)
    }
    streams.revoke(() => false)
    assert.deepStrictEqual(ended, [])
    streams.revoke(({ id }) => id !== "bob")
    assert.deepStrictEqual(ended, ["ada", "eve"])
    streams.revoke(() => true)
    assert.deepStrictEqual(ended, ["ada", "eve", "bob"])
  })

  it.effect("keeps nothing of a stream that has left, also between two comments", () =>
    Effect.gen(function*() {
      const streams = make()
      streams.begin({ reminders: 0 }, [])
      streams.keepAlive()
      const left = ((): ReadonlyArray<WeakRef<Target>> => {
        const targets = Array.from({ length: 1000 }, (): Target => ({ reminders: 0 }))
        for (const target of targets) streams.begin(target, [])
        for (const target of targets) streams.forget(target)
        return targets.map((target) => new WeakRef(target))
      })()
      yield* collectGarbage
      assert.strictEqual(left.filter((target) => target.deref() !== undefined).length, 0)
      assert.isFalse(streams.isStopping())
    }))
})
