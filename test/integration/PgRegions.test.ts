import * as PgClient from "@effect/sql-pg/PgClient"
import * as SqlClient from "@effect/sql/SqlClient"
import { assert, describe, it, layer } from "@effect/vitest"
import { DocumentStore } from "causeway-mcp/document/DocumentStore"
import * as PgFailure from "causeway-mcp/document/internal/PgFailure"
import * as RegionOutage from "causeway-mcp/document/internal/RegionOutage"
import * as PgRegions from "causeway-mcp/document/PgRegions"
import * as Embedder from "causeway-mcp/embedding/Embedder"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Postgres from "./postgres.js"
import {
  clients,
  Cluster,
  cluster,
  document,
  figures,
  held,
  inCluster,
  measured,
  opened,
  proxy,
  query,
  quiet,
  reached,
  resumed,
  tenant,
  timed
} from "./regionServers.js"
import type { Victim } from "./replica.js"
import * as Replica from "./replica.js"

if (Postgres.missing !== undefined) {
  const { missing } = Postgres
  process.stderr.write(`PgRegions on servers: ${Postgres.isRequired ? "" : "skipped, "}${missing}\n`)
  describe("PgRegions on servers", () => {
    it("finds a server to test", (test) => Postgres.isRequired ? assert.fail(missing) : test.skip(missing))
  })
}

/** Two minutes on each: the first alone, unless `ALL_SERVERS=1`. What is tested is the same on all. */
const servers = process.env["ALL_SERVERS"] === "1" ? Postgres.found : Postgres.found.slice(0, 1)

for (const { bin, name } of servers) {
  const Servers = Layer.scoped(Cluster, cluster).pipe(Layer.provide(Postgres.layer(bin)), Layer.merge(quiet))

  layer(Servers, { timeout: "3 minutes", excludeTestServices: true })(`PgRegions.layer on ${name}`, (it) => {
    it.scoped("reads everything from the nearest replica", () =>
      Effect.gen(function*() {
        const { origin, regions, store } = yield* inCluster({ catchUp: "5 seconds" })
        yield* store.index(tenant, [document(1)])
        const [hit] = yield* store.search(query)
        assert.strictEqual(hit?.passage.text, "Report 1 is about herons.")
        assert.strictEqual(hit?.origin?.region, "near")
        assert.isAtMost(hit?.origin?.behindMillis ?? Infinity, 1_000)
        assert.strictEqual((yield* store.get(tenant, "report")).length, 1)
        assert.strictEqual((yield* store.list(tenant, { limit: 5 })).length, 1)
        assert.strictEqual((yield* store.size(tenant)).documents, 1)
        yield* store.ping
        assert.match((yield* regions.token(tenant)) ?? "", /^[0-9A-F]+\/[0-9A-F]+$/)
        assert.strictEqual(yield* store.remove(tenant, ["report"]), 1)
        assert.strictEqual((yield* store.size(tenant)).documents, 0)
        assert.isUndefined(yield* origin)
      }))

    it.scoped("asks its own servers alone, also from inside a transaction of another client", () =>
      Effect.gen(function*() {
        const { database, home, origin, regions, store } = yield* inCluster()
        const elsewhere = Context.get(yield* Layer.build(home.client(yield* database)), SqlClient.SqlClient)
        yield* elsewhere.withTransaction(Effect.gen(function*() {
          assert.strictEqual((yield* store.index(tenant, [document(1)]))[0]?.status, "indexed")
          assert.strictEqual((yield* store.size(tenant)).documents, 1)
          assert.isDefined(yield* origin)
          const notes = Effect.map(regions.status, (all) => all.flatMap(({ note }) => note === undefined ? [] : [note]))
          assert.deepStrictEqual(yield* notes, [])
        }))
      }))

    it.scoped("passes over a replica while it replays nothing, and returns to it by itself", () =>
      Effect.gen(function*() {
        const { near, origin, regions, states, store } = yield* inCluster()
        yield* store.index("another", [document(1)])
        yield* store.index(tenant, [document(1)])
        yield* reached(origin, (at) => at?.region === "near")
        yield* held(near)
        yield* store.index("another", [document(2)])
        measured("a replica that lags is passed over after", yield* reached(origin, (at) => at?.region === "far"))
        const [, status] = yield* regions.status
        assert.strictEqual(status?.state, "behind")
        assert.isAbove(status?.behindMillis ?? 0, 1_000)
        yield* resumed(near)
        measured("and read again after", yield* reached(origin, (at) => at?.region === "near"))
        assert.deepStrictEqual(yield* states, ["serving", "serving", "serving"])
      }))

    it.scoped("does not take replicas for old when the primary's last record fills a page or a file of its log", () =>
      Effect.gen(function*() {
        const { home, states } = yield* inCluster()
        yield* home.query("select pg_switch_wal()")
        yield* Effect.sleep("1500 millis")
        assert.deepStrictEqual(yield* states, ["serving", "serving", "serving"])
        let isFull = false
        for (let attempt = 0; !isFull && attempt < 100; attempt++) {
          yield* home.query(`
            select pg_logical_emit_message(true, 'x', repeat('a', greatest(0, ${8192 - 130 + 8 * (attempt % 20)} -
              ((pg_walfile_name_offset(pg_current_wal_insert_lsn())).file_offset % 8192))))`)
          const [place] = yield* home.query(
            "select (pg_walfile_name_offset(pg_current_wal_insert_lsn())).file_offset % 8192 as within"
          )
          isFull = place?.["within"] === 24
        }
        assert.isTrue(isFull)
        yield* Effect.sleep("1500 millis")
        assert.deepStrictEqual(yield* states, ["serving", "serving", "serving"])
      }))

    it.scoped(
      "never answers without what was written, whatever the replicas have replayed",
      () =>
        Effect.gen(function*() {
          const { far, near, store } = yield* inCluster()
          const hold = (victim: Victim, replayed: number, paused: number) =>
            Effect.gen(function*() {
              yield* victim.query("select pg_wal_replay_pause()")
              yield* Effect.sleep(paused)
              yield* resumed(victim)
              yield* Effect.sleep(replayed)
            }).pipe(Effect.forever, Effect.ensuring(Effect.ignore(resumed(victim))))
          const holding = yield* Effect.fork(Effect.all([hold(near, 70, 150), hold(far, 110, 90)], { concurrency: 2 }))
          const regions: { [region: string]: number } = {}
          let stale = 0
          const { millis } = yield* timed(Effect.gen(function*() {
            for (let round = 1; round <= 200; round++) {
              yield* store.index(tenant, [document(round)])
              const [hit] = yield* store.search(query)
              if (hit?.passage.text !== `Report ${round} is about herons.`) stale++
              const region = hit?.origin?.region ?? "none"
              regions[region] = (regions[region] ?? 0) + 1
            }
          }))
          yield* Fiber.interrupt(holding)
          figures.push(`200 rounds in ${millis.toFixed(0)} ms, ${stale} stale, answered by ${JSON.stringify(regions)}`)
          assert.strictEqual(stale, 0)
          assert.isAbove(regions["near"] ?? 0, 0)
          assert.isAbove(regions["home"] ?? 0, 0)
        }),
      { timeout: 120_000 }
    )

    it.scoped("shows another process what it is told of", () =>
      Effect.gen(function*() {
        const servers = yield* Cluster
        const database = yield* servers.database
        const writer = yield* opened(database, clients(servers))
        const reader = yield* opened(database, clients(servers))
        yield* held(servers.near)
        yield* held(servers.far)
        yield* writer.store.index(tenant, [document(1)])
        const token = yield* writer.regions.token(tenant)
        const [unseen] = yield* reader.store.search(query)
        assert.isUndefined(unseen)
        const [seen] = yield* reader.regions.after(token ?? "")(reader.store.search(query))
        assert.deepStrictEqual(seen?.origin, { region: "home", behindMillis: 0 })
      }))

    it.scoped("does without a replica that is killed, and returns to it when it is started again", () =>
      Effect.gen(function*() {
        const { near, origin, store } = yield* inCluster()
        yield* store.index(tenant, [document(1)])
        yield* reached(origin, (at) => at?.region === "near")
        yield* near.kill
        const { millis, result } = yield* timed(origin)
        assert.strictEqual(result?.region, "far")
        measured("a read that finds its replica killed takes", millis)
        yield* near.start
        measured(
          "a replica that was started again is read after",
          yield* reached(origin, (at) => at?.region === "near")
        )
      }))

    it.scoped("does without a replica that hangs, and returns to it when it goes on", () =>
      Effect.gen(function*() {
        const { near, origin, states, store } = yield* inCluster({ readTimeout: "300 millis" })
        yield* store.index(tenant, [document(1)])
        yield* reached(origin, (at) => at?.region === "near")
        yield* near.pause
        const { millis, result } = yield* timed(origin)
        assert.strictEqual(result?.region, "far")
        measured("a read that finds its replica hanging takes", millis)
        measured("a replica that hangs is known to after", yield* reached(states, ([, state]) => state === "down"))
        yield* near.resume
        measured("a replica that goes on is read after", yield* reached(origin, (at) => at?.region === "near"))
      }))

    it.scoped("knows the error of a question that a replica ended to replay on", () =>
      Effect.gen(function*() {
        const { database, far, home } = yield* Cluster
        const name = yield* database
        yield* Effect.gen(function*() {
          const sql = yield* SqlClient.SqlClient
          yield* sql`create table held as select 1 as one`
        }).pipe(Effect.provide(home.client(name)))
        yield* far.query("alter system set max_standby_streaming_delay = 0")
        yield* far.query("select pg_reload_conf()")
        const isReading = yield* Deferred.make<void>()
        const reading = yield* Effect.gen(function*() {
          const sql = yield* SqlClient.SqlClient
          yield* Effect.retry(sql`select from held`, { schedule: Replica.soon })
          yield* sql.withTransaction(Effect.gen(function*() {
            yield* sql`select from held`
            yield* Deferred.succeed(isReading, undefined)
            yield* sql`select pg_sleep(20)`
          }))
        }).pipe(Effect.provide(far.client(name)), PgFailure.within("search", "20 seconds"), Effect.flip, Effect.fork)
        yield* Deferred.await(isReading)
        yield* Effect.gen(function*() {
          const sql = yield* SqlClient.SqlClient
          yield* sql`truncate held`
        }).pipe(Effect.provide(home.client(name)))
        const error = yield* Fiber.join(reading)
        assert.strictEqual(RegionOutage.codeOf(error), "40001")
        assert.isFalse(RegionOutage.isOutage(error))
        yield* far.query("alter system reset max_standby_streaming_delay")
        yield* far.query("select pg_reload_conf()")
      }))

    it.scoped("reads on when the primary is killed, says how old that is, and writes when it is back", () =>
      Effect.gen(function*() {
        const { home, origin, regions, states, store } = yield* inCluster()
        yield* store.index(tenant, [document(1)])
        yield* reached(origin, (at) => at?.region === "near")
        let [reads, failures] = [0, 0]
        const reading = yield* origin.pipe(
          Effect.matchEffect({
            onFailure: () => Effect.sync(() => failures++),
            onSuccess: () => Effect.sync(() => reads++)
          }),
          Effect.zipRight(Effect.sleep("2 millis")),
          Effect.forever,
          Effect.fork
        )
        yield* home.kill
        const failed = yield* timed(Effect.flip(store.index(tenant, [document(2)])))
        assert.strictEqual(failed.result.reason._tag, "Unavailable")
        measured("a write that finds the primary killed fails after", failed.millis)
        yield* reached(origin, (at) => (at?.behindMillis ?? 0) > 1_500)
        yield* Fiber.interrupt(reading)
        figures.push(`${reads} reads while the primary was killed and gone, ${failures} failed`)
        assert.strictEqual(failures, 0)
        assert.isAbove(reads, 10)
        assert.deepStrictEqual(yield* states, ["down", "behind", "behind"])
        const [status] = yield* regions.status
        assert.strictEqual(status?.role, "primary")
        yield* home.start
        measured(
          "a primary that was started again serves after",
          yield* reached(states, (all) => all.every((state) => state === "serving"))
        )
        yield* store.index(tenant, [document(3)])
        const [hit] = yield* store.search(query)
        assert.strictEqual(hit?.passage.text, "Report 3 is about herons.")
      }))

    it.scoped("opens although every server is down, and heals", () =>
      Effect.gen(function*() {
        const { database, far, home, near } = yield* Cluster
        const name = yield* database
        const dead = yield* Postgres.freePort
        const moved = yield* proxy(dead)
        const client = (database: string) =>
          PgClient.layer({ host: "127.0.0.1", port: moved.port, username: "postgres", database, maxConnections: 4 })
        yield* home.kill
        yield* near.kill
        yield* far.kill
        const context = yield* Layer.build(
          PgRegions.layer({
            primary: { name: "home", client: client(name) },
            replicas: [{ name: "near", client: near.client(name) }],
            checkEvery: "100 millis"
          }).pipe(Layer.provide(Embedder.layerHash))
        )
        const store = Context.get(context, DocumentStore)
        const { millis, result } = yield* timed(Effect.flip(store.size(tenant)))
        assert.strictEqual(result.reason._tag, "Unavailable")
        measured("a read that finds every server down at the start fails after", millis)
        assert.isBelow(millis, 3_000)
        yield* Effect.all([home.start, near.start, far.start], { concurrency: 3 })
        moved.to(home.port)
        measured(
          "all servers are back and written to after",
          yield* reached(Effect.either(store.index(tenant, [document(1)])), ({ _tag }) => _tag === "Right")
        )
        assert.strictEqual((yield* store.size(tenant)).documents, 1)
      }))

    it("tells what it measured", () => {
      process.stderr.write(`PgRegions on ${name}\n${figures.splice(0).map((line) => `  ${line}\n`).join("")}`)
    })
  })
}
