import { assert, it } from "@effect/vitest"
import * as RedisSlot from "causeway-mcp/redis/RedisSlot"
import * as RedisSessionStore from "causeway-mcp/session/RedisSessionStore"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/TestClock"
import * as RedisServer from "./redis.js"
import * as FakeNode from "./redisNode.js"
import { collected, event, eventually, failure, ids, open, urlOf, user } from "./redisSession.js"

const { is, slots } = FakeNode

const openAt = (port: number, clusterNodes: ReadonlyArray<number> = []) =>
  open({
    url: urlOf(port),
    cluster: true,
    commandTimeout: "500 millis",
    clusterNodes: clusterNodes.map((node) => `127.0.0.1:${node}`)
  })

/** One event of one user, as the store writes it. */
const kept = { bulk: `"1"\n${JSON.stringify(event("1"))}` }

/** A node that has all slots, and one event of every user. */
const honest = (port: number): FakeNode.Speech => (command) =>
  is(command, "cluster", "slots")
    ? slots([0, 16_383, "127.0.0.1", port])
    : is(command, "cluster", "info")
    ? { bulk: "cluster_state:ok\r\n" }
    : is(command, "lrange")
    ? [kept]
    : 1

/** A node that tells its map of slots once, so that nothing is put right by another. */
const once = (port: number, speech: FakeNode.Speech): FakeNode.Speech => {
  let isTold = false
  return (command) => {
    if (!is(command, "cluster", "slots")) return speech(command)
    if (isTold) return "-ERR not again"
    isTold = true
    return honest(port)(command)
  }
}

RedisServer.suite("RedisSessionStore, when a node of a cluster lies", () => {
  const maps: ReadonlyArray<readonly [string, (port: number) => FakeNode.Reply]> = [
    ["slots before the first", (port) => slots([-9_007_199_254_740_991, 16_383, "127.0.0.1", port])],
    ["slots after the last", (port) => slots([0, 9_007_199_254_740_991, "127.0.0.1", port])],
    ["slots in reverse", (port) => slots([16_383, 0, "127.0.0.1", port])],
    ["a port that is none", () => slots([0, 16_383, "127.0.0.1", 70_000])],
    ["port 0", () => slots([0, 16_383, "127.0.0.1", 0])],
    [
      "a node for every slot",
      () => slots(...Array.from({ length: 16_384 }, (_, slot) => [slot, slot, "127.0.0.1", slot + 10_000] as const))
    ],
    ["words", () => "+OK"],
    ["nothing", () => []]
  ]
  for (const [what, map] of maps) {
    it.scopedLive(`does not believe a map with ${what}, and asks another node`, () =>
      Effect.gen(function*() {
        const good = yield* FakeNode.make(honest)
        const liar = yield* FakeNode.make((port) => (command) => is(command, "cluster", "slots") ? map(port) : 1)
        const store = yield* openAt(liar.port, [good.port])
        const [took, found] = yield* Effect.timed(eventually(store.history(user)))
        assert.deepStrictEqual(ids(found), ["1"])
        assert.isBelow(Duration.toMillis(took), 3000)
      }))
  }

  it.scoped("is not captured for ever by a node that claims all slots and keeps them", () =>
    Effect.gen(function*() {
      const good = yield* FakeNode.make(honest)
      const liar = yield* FakeNode.make((port) => (command) =>
        is(command, "cluster", "slots") ? slots([0, 16_383, "127.0.0.1", port]) : []
      )
      const store = yield* openAt(liar.port, [good.port])
      // What it waits for comes over sockets, whatever the clock says.
      const breath = Effect.promise(() => new Promise((resume) => setTimeout(resume, 20)))
      const look = Effect.flatMap(
        Effect.fork(store.history(user)),
        (fiber) => Effect.zipRight(breath, Fiber.join(fiber))
      )
      let rounds = 0
      const seen = new Set<string>()
      for (; rounds < 200 && seen.size < 2; rounds++) {
        yield* breath
        seen.add(ids(yield* look).join())
        yield* TestClock.adjust("31 seconds")
      }
      // Each is believed in turn: whom to believe, nobody can tell, but neither is believed for ever.
      assert.deepStrictEqual(seen, new Set(["", "1"]))
    }), 60_000)

  for (
    const [what, to] of [
      ["a port that is none", "127.0.0.1:99999"],
      ["port 0", "127.0.0.1:0"],
      ["itself", undefined],
      ["an address that nobody has", "256.0.0.1:7000"]
    ] as const
  ) {
    for (const kind of ["MOVED", "ASK"]) {
      it.scopedLive(`fails in time when it is sent to ${what} by ${kind}, and goes on`, () =>
        Effect.gen(function*() {
          let isLying = true
          const node = yield* FakeNode.make((port) => (command) =>
            isLying && is(command, "lrange") ? `-${kind} 3 ${to ?? `127.0.0.1:${port}`}` : honest(port)(command)
          )
          const store = yield* openAt(node.port)
          const { error, ms } = yield* failure(store.history(user))
          assert.strictEqual(error.reason._tag, "Unavailable")
          assert.isBelow(ms, 1000)
          isLying = false
          assert.deepStrictEqual(ids(yield* eventually(store.history(user))), ["1"])
        }))
    }
  }

  it.scopedLive(
    "connects to no more than 64 places that no map has named, however many a node names",
    () =>
      Effect.gen(function*() {
        let named = 0
        const place = () => `127.1.${Math.floor(named / 250)}.${1 + named++ % 250}`
        // On every address of this machine, so that each place is one more connection to it.
        const anywhere = yield* FakeNode.make((port) => () => `-MOVED 3 ${place()}:${port}`, "0.0.0.0")
        const node = yield* FakeNode.make((port) => once(port, () => `-MOVED 3 ${place()}:${anywhere.port}`))
        const store = yield* openAt(node.port)
        yield* Effect.all(Array.from({ length: 200 }, () => Effect.flip(store.history(user))), { concurrency: 20 })
        assert.isAbove(named, 200)
        assert.isAtMost(anywhere.connections().made, 64)
        assert.isAtLeast(anywhere.connections().made, 60)
      }),
    30_000
  )

  it.scopedLive("learns of no other user's place from a node that is asked for one", () =>
    Effect.gen(function*() {
      const thief = yield* FakeNode.make(() => () => [])
      const other = { tenant: "acme", userId: "bob" }
      const slotOfBob = RedisSlot.of("causeway:session:{acme:bob}:events")
      const node = yield* FakeNode.make((port) =>
        once(port, (command) =>
          String(command[1]).includes("acme:ada") ? `-MOVED ${slotOfBob} 127.0.0.1:${thief.port}` : [kept])
      )
      const store = yield* openAt(node.port)
      assert.deepStrictEqual(yield* store.history(user), [])
      assert.deepStrictEqual(ids(yield* store.history(other)), ["1"])
      assert.isFalse(thief.commands.some((command) =>
        command.join(" ").includes("acme:bob")
      ))
    }))

  it.scopedLive("bears CLUSTERDOWN and TRYAGAIN without end, in time", () =>
    Effect.gen(function*() {
      let say: FakeNode.Reply = "-CLUSTERDOWN The cluster is down"
      const node = yield* FakeNode.make((port) => (command) => is(command, "lrange") ? say : honest(port)(command))
      const store = yield* openAt(node.port)
      const down = yield* failure(store.history(user))
      assert.isTrue(down.error.isRetryable)
      say = "-TRYAGAIN Multiple keys request during rehashing of slot"
      const moving = yield* failure(store.history(user))
      assert.isTrue(moving.error.isRetryable)
      assert.isBelow(moving.ms, 1000)
      assert.isBelow(node.commands.length, 60)
      say = [kept]
      assert.deepStrictEqual(ids(yield* store.history(user)), ["1"])
    }))

  it.scopedLive("follows nodes by IPv6, by host name, and where they do not know their name", () =>
    Effect.gen(function*() {
      for (const [host, listens] of [["::1", "::1"], ["localhost", "127.0.0.1"], [null, "127.0.0.1"]] as const) {
        const owner = yield* FakeNode.make(honest, listens)
        const first = yield* FakeNode.make((port) => (command) =>
          is(command, "cluster", "slots")
            ? slots([0, 8000, "127.0.0.1", port], [8001, 16_383, host, owner.port])
            : is(command, "lrange")
            ? `-MOVED 3 ${host ?? ""}:${owner.port}`
            : 1
        )
        const store = yield* openAt(first.port)
        assert.deepStrictEqual(ids(yield* store.history(user)), ["1"], String(host))
        assert.deepStrictEqual(ids(yield* store.history({ tenant: "acme", userId: "bob" })), ["1"], String(host))
      }
    }))

  it.scopedLive("fails in time, and logs that once, when nodes announce addresses that lead nowhere", () => {
    const { layer, lines } = collected()
    return Effect.gen(function*() {
      const node = yield* FakeNode.make(() => (command) =>
        is(command, "cluster", "slots") ? slots([0, 16_383, "192.0.2.1", 6379]) : 1
      )
      const store = yield* RedisSessionStore.make({
        url: urlOf(node.port),
        cluster: true,
        commandTimeout: "300 millis",
        connectTimeout: "300 millis"
      })
      for (let call = 0; call < 6; call++) {
        const { error, ms } = yield* failure(store.history(user))
        assert.strictEqual(error.reason._tag, "Unavailable")
        assert.isBelow(ms, 1000)
      }
      assert.isAtMost(lines.length, 1, lines.join("\n"))
      // It is asked again and again, should it learn better.
      assert.isBelow(node.connections().standing, 4)
    }).pipe(Effect.provide(layer))
  })
})
