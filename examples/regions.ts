/**
 * One store over a primary and its read replicas: what was written is found at
 * once, and every answer says where it came from and how old it may be.
 *
 * Uses the servers of `DATABASE_URL` (the primary) and `REPLICA_URLS`
 * (`name=url`, separated by commas, the nearest first). Without them it starts a
 * primary and two replicas of its own, where PostgreSQL is installed, and also
 * shows what happens when one lags and when one is killed.
 */
import * as PgClient from "@effect/sql-pg/PgClient"
import { DocumentStore } from "causeway-mcp/document/DocumentStore"
import * as PgRegions from "causeway-mcp/document/PgRegions"
import * as Embedder from "causeway-mcp/embedding/Embedder"
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import assert from "node:assert/strict"
import { randomUUID } from "node:crypto"
import * as Postgres from "../test/integration/postgres.js"
import * as Replica from "../test/integration/replica.js"
import { main } from "./program.js"

const print = (line: string) => Effect.sync(() => console.log(line))

/** Of its own, so that nothing is left behind on a server that others use. */
const tenant = `regions-${randomUUID()}`

const region = (name: string, url: Redacted.Redacted) => ({
  name,
  client: PgClient.layer({ url, connectTimeout: "3 seconds", applicationName: "causeway" })
})

// #region layer
const stores = (primary: PgRegions.Region<unknown>, replicas: ReadonlyArray<PgRegions.Region<unknown>>) =>
  PgRegions.layer({
    primary,
    replicas,
    maxBehind: "1 second",
    checkEvery: "100 millis"
  }).pipe(Layer.provide(Embedder.layerHash))
// #endregion layer

const find = Effect.gen(function*() {
  const store = yield* DocumentStore
  const [hit] = yield* store.search({ tenant, text: "water in the harbour", limit: 1 })
  return hit
})

/** Writes and reads in turn: whichever region answers, it has what was written. */
const readYourWrites = Effect.gen(function*() {
  const store = yield* DocumentStore
  const answered = new Map<string, number>()
  for (let round = 1; round <= 20; round++) {
    const text = `Reading ${round}: the water in the harbour stands at ${100 + round} cm.`
    yield* store.index(tenant, [{ id: "gauge", text, version: round }])
    const hit = yield* find
    assert.equal(hit?.passage.text, text)
    const name = hit.origin?.region ?? "nobody"
    answered.set(name, (answered.get(name) ?? 0) + 1)
  }
  const counted = [...answered].map(([name, times]) => `${name} ${times} times`).join(", ")
  yield* print(`Written and found at once, 20 times: answered by ${counted}.`)
})

const show = Effect.gen(function*() {
  const { status } = yield* PgRegions.PgRegions
  for (const { behindMillis, note, region, role, state } of yield* status) {
    const age = behindMillis === undefined ? "age unknown" : `at most ${Math.round(behindMillis)} ms behind`
    yield* print(`  ${region} (${role}): ${state}, ${age}${note === undefined ? "" : `; ${note}`}`)
  }
})

/** Searches until a region answers that is as it should be. */
const until = (isSo: (region: string) => boolean) =>
  Effect.repeat(Effect.map(find, (hit) => hit?.origin), {
    schedule: Replica.soon,
    until: (origin) => origin !== undefined && isSo(origin.region)
  }).pipe(Effect.timeout("20 seconds"))

const onGivenServers = (url: Redacted.Redacted, list: string) => {
  const replicas = list.split(",").map((entry) => entry.trim()).filter((entry) => entry !== "").map((entry, n) => {
    const at = entry.indexOf("=")
    const isNamed = /^[\w-]+$/.test(entry.slice(0, at))
    return region(
      isNamed ? entry.slice(0, at) : `replica-${n + 1}`,
      Redacted.make(isNamed ? entry.slice(at + 1) : entry)
    )
  })
  return Effect.gen(function*() {
    yield* readYourWrites
    yield* show
    const store = yield* DocumentStore
    assert.equal(yield* store.remove(tenant, ["gauge"]), 1)
  }).pipe(Effect.provide(stores(region("primary", url), replicas)))
}

const onOwnServers = (bin: string) =>
  Effect.gen(function*() {
    const { process } = yield* Postgres.Server
    const near = yield* Replica.replica(process)
    const far = yield* Replica.replica(process)
    const client = (name: string, { port }: { readonly port: number }) =>
      region(name, Redacted.make(`postgres://postgres@127.0.0.1:${port}/postgres`))

    yield* Effect.gen(function*() {
      const store = yield* DocumentStore
      yield* readYourWrites
      yield* until((name) => name === "near")
      yield* show

      yield* near.query("select pg_wal_replay_pause()")
      yield* store.index("another tenant", [{ id: "a", text: "Something that near does not hear of." }])
      yield* until((name) => name === "far")
      yield* print("The near replica replays nothing any more: the far one answers.")
      yield* show

      yield* near.query("select pg_wal_replay_resume()")
      yield* until((name) => name === "near")
      yield* near.kill
      const origin = yield* Effect.map(find, (hit) => hit?.origin)
      assert.equal(origin?.region, "far")
      yield* print("The near replica was killed: the far one answers, with the first question.")
      yield* show

      yield* near.start
      yield* until((name) => name === "near")
      yield* print("It was started again, and answers again.")
    }).pipe(Effect.provide(stores(client("home", process), [client("near", near), client("far", far)])))
  }).pipe(Effect.scoped, Effect.provide(Postgres.layer(bin)))

main(Effect.gen(function*() {
  const url = yield* Config.option(Config.redacted("DATABASE_URL"))
  const replicas = yield* Config.option(Config.string("REPLICA_URLS"))
  if (Option.isSome(url) && Option.isSome(replicas)) return yield* onGivenServers(url.value, replicas.value)
  const [server] = Postgres.found
  if (server === undefined) {
    return yield* print(
      "Nothing was shown: set DATABASE_URL and REPLICA_URLS, or install PostgreSQL (initdb, pg_ctl, postgres) or name its folder in PG_BIN."
    )
  }
  yield* print(`Starting a primary and two replicas of ${server.name}.`)
  yield* onOwnServers(server.bin)
}))
