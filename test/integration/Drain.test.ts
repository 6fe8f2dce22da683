import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Http from "node:http"
import * as Balanced from "./balanced.js"

const cycles = Number(process.env.CYCLES ?? 5)
const streams = Number(process.env.STREAMS ?? 20)
const lameDuck = 1500
const safeTools = "price_of_company\n"

const behind = Effect.gen(function*() {
  const [a, b] = yield* Effect.all([Balanced.instance(lameDuck), Balanced.instance(lameDuck)])
  yield* a.ready
  yield* b.ready
  const { bothUp, url } = yield* Balanced.balancer(a, b, safeTools)
  yield* bothUp
  return { a, b, bothUp, url }
})

const busy = (load: Balanced.Load, more: number) => {
  const goal = load.answered + more
  return Balanced.until(`${more} more calls are answered`, () => load.answered >= goal)
}

/** Clients that order, each one thing at a time. */
const ordering = 4

interface Program {
  readonly output: string
}

const ordered = ({ output }: Program): ReadonlyArray<number> =>
  [...output.matchAll(/ordered ([0-9.]+)/gu)].map(([, ms]) => Number(ms))

/**
 * The calls that were lost are some of those under way on the instance that was
 * killed: one for each client at most, sent before its end, and run nowhere else.
 */
const isUnderWay = (lost: ReadonlyArray<Balanced.Lost>, endedAt: number, others: ReadonlyArray<Program>): void => {
  assert.isAtMost(lost.length, ordering, JSON.stringify(lost))
  for (const { came, ms, sentAt } of lost) {
    assert.isAtMost(sentAt, endedAt, came)
    assert.isFalse(others.some((other) => ordered(other).includes(ms)), came)
  }
}

/** No order was run twice, and every one that was answered was run. */
const ranOnce = (processes: ReadonlyArray<Program>, { answered, failed }: Balanced.Load): void => {
  const all = processes.flatMap(ordered)
  assert.strictEqual(new Set(all).size, all.length)
  assert.isAtLeast(all.length, answered)
  assert.isAtMost(all.length, answered + failed.length)
}

Balanced.suite("two instances behind HAProxy", () => {
  it.scopedLive(
    `lose no call and cut no stream while one after the other stops, ${cycles} times`,
    () =>
      Effect.gen(function*() {
        const { a, b, bothUp, url } = yield* behind
        const { seen, stop } = yield* Balanced.load(url, "price_of_company", { clients: 40, streams })
        for (let cycle = 0; cycle < cycles; cycle++) {
          const one = cycle % 2 === 0 ? a : b
          yield* busy(seen, 200)
          const { code, took } = yield* one.stop("SIGTERM")
          assert.strictEqual(code, 0, one.process().output)
          assert.isBelow(took, lameDuck + 5000)
          yield* busy(seen, 200)
          yield* one.start
          yield* bothUp
        }
        yield* Effect.promise(stop)
        assert.deepStrictEqual(seen.failed, [])
        assert.strictEqual(seen.cut, 0)
        assert.isAbove(seen.whole, 0)
      }),
    60_000 + cycles * 40_000
  )

  it.scopedLive(
    "lose no call that is safe to repeat when one is killed, and others only where they were under way",
    () =>
      Effect.gen(function*() {
        const { a, b, bothUp, url } = yield* behind
        const safe = yield* Balanced.load(url, "price_of_company", { clients: 40, streams: 0 })
        const once = yield* Balanced.load(url, "order_of_shares", { clients: ordering, streams: 0 })
        const processes = [a.process(), b.process()]
        for (const one of [a, b]) {
          yield* busy(safe.seen, 400)
          const before = once.seen.failed.length
          const killed = one.process()
          yield* one.stop("SIGKILL")
          const endedAt = performance.now()
          yield* busy(safe.seen, 400)
          const lost = once.seen.failed.slice(before)
          isUnderWay(lost, endedAt, processes.filter((process) => process !== killed))
          yield* one.start
          processes.push(one.process())
          yield* bothUp
        }
        yield* Effect.promise(safe.stop)
        yield* Effect.promise(once.stop)
        assert.deepStrictEqual(safe.seen.failed, [])
        assert.isAbove(once.seen.answered, 0)
        ranOnce(processes, once.seen)
      }),
    180_000
  )
})

const nginx = Balanced.findProgram("nginx")

describe("two instances behind nginx", () => {
  it.scopedLive.skipIf(nginx === undefined && process.env.REQUIRE_SERVICES !== "1")(
    "lose no call that is safe to repeat when one is killed",
    () =>
      Effect.gen(function*() {
        const [a, b] = yield* Effect.all([Balanced.instance(0), Balanced.instance(0)])
        yield* a.ready
        yield* b.ready
        const { url } = yield* Balanced.nginx(nginx ?? "nginx", a, b, safeTools)
        const safe = yield* Balanced.load(url, "price_of_company", { clients: 40, streams: 0 })
        const once = yield* Balanced.load(url, "order_of_shares", { clients: ordering, streams: 0 })
        yield* busy(safe.seen, 400)
        yield* a.stop("SIGKILL")
        const endedAt = performance.now()
        yield* busy(safe.seen, 400)
        yield* Effect.promise(safe.stop)
        yield* Effect.promise(once.stop)
        assert.deepStrictEqual(safe.seen.failed, [])
        isUnderWay(once.seen.failed, endedAt, [b.process()])
        assert.isAbove(once.seen.answered, 0)
        ranOnce([a.process(), b.process()], once.seen)
      }),
    120_000
  )
})

describe("a server that stops", () => {
  it.scopedLive(
    "says so on the operator's port as long as it drains, and answers what is under way",
    () =>
      Effect.gen(function*() {
        const one = yield* Balanced.instance(300)
        yield* one.ready
        const mcp = `http://127.0.0.1:${one.port}`
        const ops = `http://127.0.0.1:${one.opsPort}`
        const agent = new Http.Agent()
        const slow = Balanced.call(`${mcp}/mcp`, "price_of_company", 2500, agent)
        yield* Balanced.until("the call is under way", () => Object.keys(agent.sockets).length > 0)
        yield* Effect.promise(() => Balanced.call(`${mcp}/mcp`, "price_of_company", 1))
        const stopped = yield* Effect.fork(one.stop("SIGTERM"))
        yield* Balanced.until(
          "the clients' port says that it drains",
          async () => (await Balanced.page(`${mcp}/readyz`)).text === "{\"status\":\"draining\"}"
        )
        assert.match(yield* Effect.promise(() => Balanced.call(`${mcp}/mcp`, "price_of_company", 1)), /^200 .*42/)
        yield* Balanced.until(
          "the clients' port is closed",
          async () => (await Balanced.page(`${mcp}/livez`)).status === 0
        )
        assert.deepStrictEqual(yield* Effect.promise(() => Balanced.page(`${ops}/readyz`)), {
          status: 503,
          text: "{\"status\":\"draining\"}"
        })
        assert.strictEqual((yield* Effect.promise(() => Balanced.page(`${ops}/livez`))).status, 200)
        assert.match(yield* Effect.promise(() => slow), /^200 .*42/)
        const { code } = yield* stopped
        assert.strictEqual(code, 0, one.process().output)
        assert.match(one.process().output, /Draining/)
      }),
    60_000
  )

  it.scopedLive("stops at once when it is asked a second time", () =>
    Effect.gen(function*() {
      const one = yield* Balanced.instance(60_000)
      yield* one.ready
      const stopped = yield* Effect.fork(one.stop("SIGTERM"))
      yield* Balanced.until("it stops", () => one.process().output.includes("stopping"))
      const { code, took } = yield* one.stop("SIGTERM")
      assert.strictEqual(code, 143)
      assert.isBelow(took, 2000)
      yield* stopped
    }), 60_000)
})
