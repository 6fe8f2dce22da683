import { assert, describe, it } from "@effect/vitest"
import { DocumentStoreError, Incompatible } from "causeway-mcp/document/DocumentStore"
import * as RegionLedger from "causeway-mcp/document/internal/RegionLedger"
import * as RegionPlace from "causeway-mcp/document/internal/RegionPlace"
import * as RegionStore from "causeway-mcp/document/internal/RegionStore"
import * as RegionTokens from "causeway-mcp/document/internal/RegionTokens"
import * as TimeLimit from "causeway-mcp/policy/TimeLimit"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Logger from "effect/Logger"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"
import * as Regions from "./regions.js"

const tenant = "tenant"

const query = { tenant, text: "herons", limit: 5 }

const document = { id: "a", text: "A heron." }

const silent = Logger.replace(Logger.defaultLogger, Logger.none)

/** A primary and two replicas that were seen once. */
const opened = (options?: RegionStore.Options, change?: (servers: ReadonlyArray<Regions.Server>) => void) =>
  Effect.gen(function*() {
    const primary = Regions.server("home", "primary")
    const near = Regions.server("near", "replica")
    const far = Regions.server("far", "replica")
    change?.([primary, near, far])
    const { regions, store } = yield* RegionStore.make(primary.source, [near.source, far.source], options)
    yield* TestClock.adjust("1 second")
    const asked = Effect.map(store.search(query), ([hit]) => hit?.origin)
    const region = Effect.map(asked, (origin) => origin?.region)
    const states = Effect.map(regions.status, (all) => all.map(({ state }) => state))
    return { primary, near, far, regions, store, asked, region, states }
  })

/** Runs an effect that sleeps, and lets the time pass that it needs. */
const passing = <A, E, R>(effect: Effect.Effect<A, E, R>, time: Duration.DurationInput = "1 second") =>
  Effect.gen(function*() {
    const fiber = yield* Effect.fork(effect)
    yield* TestClock.adjust(time)
    return yield* Fiber.join(fiber)
  })

/** The same, and how long it took, milliseconds. */
const timed = <A, E, R>(effect: Effect.Effect<A, E, R>, time?: Duration.DurationInput) =>
  passing(
    Effect.gen(function*() {
      const before = yield* RegionPlace.now
      const result = yield* effect
      return { result, millis: (yield* RegionPlace.now) - before }
    }),
    time
  )

describe("PgRegions", () => {
  const scoped = (name: string, test: () => Effect.Effect<void, unknown, Scope.Scope>) =>
    it.scoped(name, () => Effect.provide(test(), silent))

  scoped(
    "lets no write wait past its caller's time limit for a primary that never opened",
    () =>
      Effect.gen(function*() {
        const { store } = yield* opened({}, ([primary]) => {
          if (primary !== undefined) primary.isUp = false
        })
        const writing = yield* Effect.fork(Effect.flip(TimeLimit.within(store.index(tenant, [document]), "100 millis")))
        yield* TestClock.adjust("100 millis")
        assert.isTrue(Option.isSome(yield* Fiber.poll(writing)))
        assert.strictEqual((yield* Fiber.join(writing)).reason._tag, "Unavailable")
      })
  )

  scoped("reads from the nearest replica, and says from where and how old it may be", () =>
    Effect.gen(function*() {
      const { asked, near, region } = yield* opened()
      yield* TestClock.adjust("300 millis")
      assert.deepStrictEqual(yield* asked, { region: "near", behindMillis: 300 })
      near.isUp = false
      assert.strictEqual(yield* region, "far")
    }))

  scoped("writes to the primary, and follows its changes", () =>
    Effect.gen(function*() {
      const { far, near, primary, store } = yield* opened()
      yield* store.index(tenant, [document])
      assert.deepStrictEqual([primary.writes, near.questions, far.questions], [1, 0, 0])
      const [change] = yield* Effect.map(Stream.runCollect(Stream.take(store.changes(), 1)), (all) => [...all])
      assert.strictEqual(change?.documentId, "home")
    }))

  scoped("prefers the primary where its name stands among the replicas", () =>
    Effect.gen(function*() {
      const [primary, replica] = [Regions.server("home", "primary"), Regions.server("near", "replica")]
      const { regions, store } = yield* RegionStore.make(primary.source, [primary.source, replica.source])
      yield* TestClock.adjust("1 second")
      const [hit] = yield* store.search(query)
      assert.deepStrictEqual(hit?.origin, { region: "home", behindMillis: 0 })
      assert.lengthOf(yield* regions.status, 2)
    }))

  scoped("passes over a replica that is too far behind until it has caught up", () =>
    Effect.gen(function*() {
      const { asked, far, near, primary, region, regions, states } = yield* opened({ maxBehind: "2 seconds" })
      primary.writes = far.writes = 5
      yield* TestClock.adjust("2 seconds")
      assert.strictEqual(yield* region, "near")
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* region, "far")
      const [, status] = yield* regions.status
      assert.deepInclude(status, { region: "near", state: "behind", since: "1970-01-01T00:00:03.500Z" })
      assert.closeTo(status?.behindMillis ?? 0, 3_000, 500)
      near.writes = 5
      yield* TestClock.adjust("500 millis")
      assert.deepStrictEqual(yield* states, ["serving", "serving", "serving"])
      assert.strictEqual((yield* asked)?.region, "near")
    }))

  scoped("does not take a replica of an idle primary for old", () =>
    Effect.gen(function*() {
      const { asked } = yield* opened()
      yield* TestClock.adjust("30 seconds")
      const origin = yield* asked
      assert.strictEqual(origin?.region, "near")
      assert.isAtMost(origin?.behindMillis ?? Infinity, 500)
    }))

  scoped("waits for what the tenant wrote, and goes on when it takes too long", () =>
    Effect.gen(function*() {
      const { near, primary, region, store } = yield* opened()
      yield* store.index(tenant, [document])
      const reading = yield* Effect.fork(region)
      yield* TestClock.adjust("10 millis")
      near.writes = 1
      yield* TestClock.adjust("10 millis")
      assert.strictEqual(yield* Fiber.join(reading), "near")
      yield* store.index(tenant, [document])
      const { millis, result } = yield* timed(region)
      assert.strictEqual(result, "home")
      assert.strictEqual(millis, 50)
      assert.strictEqual(primary.writes, 2)
      const [hit] = yield* store.search({ ...query, tenant: "another" })
      assert.strictEqual(hit?.origin?.region, "near")
    }))

  scoped("waits no longer than it may for all replicas together", () =>
    Effect.gen(function*() {
      const { far, region, store } = yield* opened()
      yield* store.index(tenant, [document])
      const { millis } = yield* timed(region)
      assert.strictEqual(millis, 50)
      far.writes = 1
      yield* TestClock.adjust("1 second")
      assert.strictEqual((yield* timed(region)).result, "far")
    }))

  scoped("sees what another process wrote by its token, and ignores what is none", () =>
    Effect.gen(function*() {
      const { far, primary, region, regions, store } = yield* opened()
      assert.isUndefined(yield* regions.token(tenant))
      yield* store.index(tenant, [document])
      const token = yield* regions.token(tenant)
      assert.strictEqual(token, "0/1008")
      far.writes = primary.writes
      yield* TestClock.adjust("1 second")
      const other = { ...query, tenant: "another" }
      const seen = Effect.map(store.search(other), ([hit]) => hit?.passage.documentId)
      assert.strictEqual((yield* timed(regions.after(token ?? "")(seen))).result, "far")
      assert.strictEqual(yield* seen, "near")
      for (const none of ["", "1008", "0/xyz", "0/1008; drop table", "0/123456789"]) {
        assert.strictEqual(yield* regions.after(none)(seen), "near")
      }
      const further = regions.after(token ?? "")(regions.after("0/0")(seen))
      assert.strictEqual((yield* timed(further)).result, "far")
      assert.strictEqual((yield* timed(region)).result, "far")
    }))

  scoped("asks the primary alone while nobody knows where a write stands", () =>
    Effect.gen(function*() {
      const { near, primary, region, regions, store } = yield* opened()
      primary.isDumb = true
      yield* store.index(tenant, [document])
      near.writes = 1
      assert.isUndefined(yield* regions.token(tenant))
      assert.strictEqual(yield* region, "home")
      primary.isDumb = false
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* regions.token(tenant), "0/1008")
      assert.strictEqual((yield* timed(region)).result, "near")
    }))

  scoped(
    "asks the next region when one does not answer, and leaves that one alone until it does",
    () =>
      Effect.gen(function*() {
        const { near, region, states } = yield* opened()
        near.isUp = false
        assert.strictEqual(yield* region, "far")
        assert.deepStrictEqual(yield* states, ["serving", "down", "serving"])
        const { questions } = near
        assert.strictEqual(yield* region, "far")
        assert.strictEqual(near.questions, questions)
        near.isUp = true
        yield* TestClock.adjust("1 second")
        assert.strictEqual(yield* region, "near")
      })
  )

  scoped("looks at a region that is down less and less often, but every two seconds", () =>
    Effect.gen(function*() {
      const { near } = yield* opened()
      near.isUp = false
      yield* TestClock.adjust("16 seconds")
      const { looks } = near
      yield* TestClock.adjust("50 seconds")
      assert.strictEqual(near.looks - looks, 25)
    }))

  scoped("asks the next region when one is late, within the time that is left", () =>
    Effect.gen(function*() {
      const { near, region } = yield* opened()
      near.latency = "1 minute"
      assert.deepStrictEqual(yield* timed(region), { result: "far", millis: 1_000 })
      assert.deepStrictEqual(yield* timed(TimeLimit.within(region, "900 millis")), { result: "far", millis: 300 })
    }))

  scoped("takes one slow question for no outage, but many in a row", () =>
    Effect.gen(function*() {
      const { near, region, states } = yield* opened()
      near.latency = "1 minute"
      yield* timed(region)
      assert.deepStrictEqual(yield* states, ["serving", "serving", "serving"])
      const reading = yield* Effect.fork(Effect.all([region, region]))
      yield* TestClock.adjust("2 seconds")
      yield* Fiber.join(reading)
      assert.deepStrictEqual(yield* states, ["serving", "down", "serving"])
    }))

  scoped("gives the last region all the time there is", () =>
    Effect.gen(function*() {
      const { far, near, primary, region } = yield* opened()
      near.isUp = far.isUp = false
      primary.latency = "3 seconds"
      assert.deepStrictEqual(yield* timed(region, "3 seconds"), { result: "home", millis: 3_000 })
      const error = yield* passing(Effect.flip(TimeLimit.within(region, "2 seconds")), "2 seconds")
      assert.instanceOf(error, DocumentStoreError)
      assert.strictEqual(error.reason._tag, "Unavailable")
    }))

  scoped("puts a question that cannot be asked to no other region", () =>
    Effect.gen(function*() {
      const { far, near, region } = yield* opened()
      near.failure = Regions.refused
      const error = yield* Effect.flip(region)
      assert.strictEqual(error.reason._tag, "Invalid")
      assert.strictEqual(far.questions, 0)
    }))

  scoped("asks the next region when a replica does not have the tables yet", () =>
    Effect.gen(function*() {
      const { near, region, states } = yield* opened()
      near.failure = (method) =>
        new DocumentStoreError({ method, reason: new Incompatible({ description: "older tables" }) })
      assert.strictEqual(yield* region, "far")
      assert.deepStrictEqual(yield* states, ["serving", "serving", "serving"])
    }))

  scoped(
    "asks the next region when a replica had to end a question for what it replays, and thinks no worse of it",
    () =>
      Effect.gen(function*() {
        const { near, region, states } = yield* opened()
        near.failure = (method) => Regions.unavailable(method, "40001")
        assert.strictEqual(yield* region, "far")
        assert.deepStrictEqual(yield* states, ["serving", "serving", "serving"])
        near.failure = undefined
        assert.strictEqual(yield* region, "near")
      })
  )

  scoped("builds while every region is down, fails in time, and heals", () =>
    Effect.gen(function*() {
      const { far, near, primary, region, store, states } = yield* opened({}, (servers) => {
        for (const server of servers) server.isUp = false
      })
      const { millis, result } = yield* timed(Effect.flip(region), "2 seconds")
      assert.strictEqual(result.reason._tag, "Unavailable")
      assert.isAtMost(millis, 2_000)
      assert.deepStrictEqual(yield* states, ["down", "down", "down"])
      assert.strictEqual(
        (yield* passing(Effect.flip(store.index(tenant, [document])), "2 seconds")).reason._tag,
        "Unavailable"
      )
      primary.isUp = near.isUp = far.isUp = true
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual(yield* region, "near")
      yield* store.index(tenant, [document])
    }))

  scoped("waits a little for the first region at the start", () =>
    Effect.gen(function*() {
      const [primary, replica] = [Regions.server("home", "primary"), Regions.server("near", "replica")]
      const { store } = yield* RegionStore.make(primary.source, [replica.source])
      const reading = yield* Effect.fork(store.search(query))
      yield* TestClock.adjust("1 second")
      assert.lengthOf(yield* Fiber.join(reading), 1)
    }))

  scoped(
    "reads on without a primary, says how old that is, and writes again when it is back",
    () =>
      Effect.gen(function*() {
        const { asked, far, near, primary, states, store } = yield* opened()
        far.writes = near.writes = primary.writes = 3
        yield* TestClock.adjust("1 second")
        near.writes = 2
        primary.isUp = false
        assert.strictEqual((yield* Effect.flip(store.index(tenant, [document]))).reason._tag, "Unavailable")
        yield* TestClock.adjust("30 seconds")
        assert.deepStrictEqual(yield* states, ["down", "behind", "behind"])
        assert.deepStrictEqual(yield* asked, { region: "far", behindMillis: 30_000 })
        primary.isUp = true
        near.writes = 3
        yield* TestClock.adjust("10 seconds")
        assert.deepStrictEqual(yield* states, ["serving", "serving", "serving"])
        yield* store.index(tenant, [document])
      })
  )

  scoped(
    "gives nothing without what the tenant wrote, even when there is no primary to ask",
    () =>
      Effect.gen(function*() {
        const { near, primary, region, store } = yield* opened()
        yield* store.index(tenant, [document])
        primary.isUp = false
        yield* TestClock.adjust("5 seconds")
        assert.strictEqual((yield* passing(Effect.flip(region))).reason._tag, "Unavailable")
        assert.lengthOf(yield* store.search({ ...query, tenant: "another" }), 1)
        near.writes = 1
        yield* TestClock.adjust("5 seconds")
        assert.strictEqual(yield* region, "near")
      })
  )

  scoped("reads where there never was a primary, and does not say how old that is", () =>
    Effect.gen(function*() {
      const { asked } = yield* opened({}, ([primary]) => {
        if (primary !== undefined) primary.isUp = false
      })
      assert.deepStrictEqual(yield* passing(asked), { region: "near" })
    }))

  scoped("passes over a replica that was promoted, unless there is no primary", () =>
    Effect.gen(function*() {
      const { asked, far, near, primary, regions, region } = yield* opened()
      near.isRecovering = false
      near.timeline = 2
      near.writes = 7
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* region, "far")
      const [, status] = yield* regions.status
      assert.strictEqual(status?.state, "behind")
      assert.include(status?.note ?? "", "promoted")
      primary.isUp = far.isUp = false
      yield* TestClock.adjust("10 seconds")
      const origin = yield* asked
      assert.strictEqual(origin?.region, "near")
      assert.isAtLeast(origin?.behindMillis ?? 0, 10_000)
    }))

  scoped("reads on when the primary became a replica, and says that it did", () =>
    Effect.gen(function*() {
      const { primary, region, regions, store } = yield* opened()
      primary.isRecovering = true
      primary.failure = (method) => Regions.unavailable(method, "25006")
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual(yield* region, "near")
      const [status] = yield* regions.status
      assert.include(status?.note ?? "", "no primary any more")
      assert.strictEqual((yield* Effect.flip(store.index(tenant, [document]))).reason._tag, "Unavailable")
    }))

  scoped(
    "compares no places of two timelines: a replica counts again when it follows the new primary",
    () =>
      Effect.gen(function*() {
        const { far, near, primary, region, states, store } = yield* opened()
        primary.writes = near.writes = far.writes = 10
        yield* store.index(tenant, [document])
        yield* TestClock.adjust("1 second")
        // Another server took over under the same name, before the last write reached it.
        primary.timeline = 2
        primary.writes = 10
        near.writes = 12
        far.timeline = 2
        yield* TestClock.adjust("1 second")
        assert.deepStrictEqual(yield* states, ["serving", "behind", "serving"])
        assert.deepStrictEqual(yield* timed(region), { result: "far", millis: 0 })
      })
  )

  scoped("does not ask a replica that holds what the primary never had", () =>
    Effect.gen(function*() {
      const { far, near, primary, region, regions } = yield* opened()
      near.writes = 3
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* region, "far")
      const [, status] = yield* regions.status
      assert.strictEqual(status?.state, "down")
      assert.include(status?.note ?? "", "never had")
      primary.writes = far.writes = 9
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* region, "far")
      near.isUp = false
      yield* TestClock.adjust("1 second")
      near.isUp = true
      near.writes = 9
      yield* TestClock.adjust("5 seconds")
      assert.strictEqual(yield* region, "near")
    }))

  scoped("logs an outage once, and its end", () =>
    Effect.gen(function*() {
      const lines: Array<string> = []
      const logger = Logger.make(({ message }) => void lines.push(String(message)))
      yield* Effect.scoped(Effect.gen(function*() {
        const { primary } = yield* opened()
        primary.isUp = false
        yield* TestClock.adjust("1 minute")
        primary.isUp = true
        yield* TestClock.adjust("10 seconds")
      })).pipe(Effect.provide(Logger.add(logger)))
      const own = lines.filter((line) => line.includes("Region home"))
      assert.deepStrictEqual(own, [
        "Region home of the document store is down (ECONNREFUSED); nothing can be written until it serves",
        "Region home of the document store serves again"
      ])
    }))
})

describe("RegionPlace", () => {
  it("reads what it writes, and nothing else", () => {
    for (const lsn of [0n, 1n, 0xffffffffn, 0x100000000n, 0xffffffffffffffffn]) {
      assert.strictEqual(RegionPlace.parse(RegionPlace.format(lsn)), lsn)
    }
    assert.strictEqual(RegionPlace.format(0x16b374d848n), "16/B374D848")
    for (const none of ["", "/", "1/", "g/0", "1/2/3", " 1/2", "123456789/0"]) {
      assert.isUndefined(RegionPlace.parse(none))
    }
  })
})

const place = (at: number, lsn: number, timeline = 1): RegionPlace.Place => ({
  lsn: BigInt(lsn),
  timeline,
  isRecovering: false,
  askedAt: at,
  toldAt: at + 1
})

describe("RegionLedger", () => {
  it("knows the last moment at which the primary had written no more than a copy has", () => {
    const ledger = RegionLedger.make()
    assert.isUndefined(ledger.seenAt(5n))
    for (const [at, lsn] of [[0, 10], [10, 20], [20, 20], [30, 40]] as const) assert.isTrue(ledger.note(place(at, lsn)))
    assert.deepStrictEqual([9n, 10n, 19n, 20n, 39n, 40n, 99n].map(ledger.seenAt), [undefined, 0, 0, 20, 20, 30, 30])
  })

  it("never makes a copy younger than it is when it forgets", () => {
    const ledger = RegionLedger.make()
    for (let at = 0; at < 30_000; at++) ledger.note(place(at * 2, at))
    for (let lsn = 0; lsn < 30_000; lsn += 97) {
      const seen = ledger.seenAt(BigInt(lsn))
      assert.isAtMost(seen ?? -1, lsn * 2)
    }
    assert.strictEqual(ledger.seenAt(29_999n), 59_998)
    assert.isDefined(ledger.seenAt(10_000n))
  })

  it("says when the log does not go on: after a promotion, and after a crash that took its end", () => {
    const ledger = RegionLedger.make()
    ledger.note(place(0, 10))
    ledger.note(place(10, 30))
    assert.isFalse(ledger.note(place(20, 20)))
    assert.deepStrictEqual([ledger.seenAt(10n), ledger.seenAt(25n)], [0, 20])
    assert.isFalse(ledger.note(place(30, 40, 2)))
    assert.strictEqual(ledger.timeline(), 2)
    assert.isUndefined(ledger.seenAt(39n))
  })

  it("takes no note of an answer that may be older than the last", () => {
    const ledger = RegionLedger.make()
    ledger.note({ ...place(0, 20), toldAt: 10 })
    assert.isTrue(ledger.note(place(5, 10)))
    assert.deepStrictEqual(ledger.last(), { at: 0, lsn: 20n })
  })
})

describe("RegionTokens", () => {
  it("keeps the furthest place of each tenant", () => {
    const tokens = RegionTokens.make()
    tokens.wrote("a", 20n, 0)
    tokens.wrote("a", 10n, 1)
    assert.deepStrictEqual([tokens.need("a"), tokens.need("b")], [20n, undefined])
  })

  it("takes a place that is not known from the next answer to a later question", () => {
    const tokens = RegionTokens.make()
    tokens.wrote("a", "unknown", 10)
    tokens.seen(place(9, 50))
    assert.strictEqual(tokens.need("a"), "unknown")
    tokens.seen(place(10, 60))
    assert.strictEqual(tokens.need("a"), 60n)
  })

  it("asks for no more than the primary still has", () => {
    const tokens = RegionTokens.make()
    tokens.wrote("a", 20n, 0)
    tokens.wrote("b", 5n, 0)
    tokens.cut(10n)
    assert.deepStrictEqual([tokens.need("a"), tokens.need("b")], [10n, 5n])
  })

  it("keeps the promise to more tenants than it remembers", () => {
    const tokens = RegionTokens.make()
    for (let n = 1; n <= 12_000; n++) tokens.wrote(`tenant-${n}`, BigInt(n), n)
    assert.strictEqual(tokens.need("tenant-1"), 2_000n)
    assert.strictEqual(tokens.need("tenant-2001"), 2_001n)
    assert.strictEqual(tokens.need("tenant-12000"), 12_000n)
  })
})
