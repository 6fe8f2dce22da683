/**
 * A primary and two replicas as servers of their own, a store over them, and
 * how long it takes until something is so.
 *
 * @since 0.1.0
 */
import { DocumentStore } from "causeway-mcp/document/DocumentStore"
import * as PgRegions from "causeway-mcp/document/PgRegions"
import * as Embedder from "causeway-mcp/embedding/Embedder"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import { connect, createServer } from "node:net"
import type { Socket } from "node:net"
import * as Postgres from "./postgres.js"
import type { Victim } from "./replica.js"
import * as Replica from "./replica.js"

export const tenant = "tenant"

export const query = { tenant, text: "herons", limit: 1 }

export const document = (n: number) => ({ id: "report", text: `Report ${n} is about herons.` })

/** A primary and two replicas that stream from it. */
export class Cluster extends Context.Tag("test/Cluster")<Cluster, {
  readonly home: Victim
  readonly near: Victim
  readonly far: Victim
  /** A new database, once every server has it. */
  readonly database: Effect.Effect<string>
}>() {}

export const cluster = Effect.gen(function*() {
  const { createDatabase, process } = yield* Postgres.Server
  const home = Replica.victim(process)
  // One after the other: of two backups at once one was seen not to become readable within a minute.
  const near = yield* Replica.replica(process)
  const far = yield* Replica.replica(process)
  const database = Effect.gen(function*() {
    const name = yield* createDatabase
    for (const { query } of [near, far]) {
      yield* Effect.repeat(query(`select from pg_database where datname = '${name}'`), {
        schedule: Replica.soon,
        until: (rows) => rows.length === 1
      })
    }
    return name
  })
  return { home, near, far, database: Effect.orDie(database) }
})

export interface Ports {
  readonly home: Victim["client"]
  readonly near: Victim["client"]
  readonly far: Victim["client"]
}

export const opened = (database: string, { far, home, near }: Ports, options: Partial<PgRegions.Options<never>> = {}) =>
  Effect.gen(function*() {
    const context = yield* Layer.build(
      PgRegions.layer({
        primary: { name: "home", client: home(database) },
        replicas: [{ name: "near", client: near(database) }, { name: "far", client: far(database) }],
        checkEvery: "100 millis",
        maxBehind: "1 second",
        indexFrom: Infinity,
        ...options
      }).pipe(Layer.provide(Embedder.layerHash))
    )
    const store = Context.get(context, DocumentStore)
    const regions = Context.get(context, PgRegions.PgRegions)
    const states = Effect.map(regions.status, (all) => all.map(({ state }) => state))
    yield* store.index("first", [document(0)])
    yield* reached(states, (all) => all.every((state) => state === "serving"))
    return { store, regions, states, origin: Effect.map(store.search(query), ([hit]) => hit?.origin) }
  })

export const clients = ({ far, home, near }: Context.Tag.Service<Cluster>): Ports => ({
  home: home.client,
  near: near.client,
  far: far.client
})

export const inCluster = (options?: Partial<PgRegions.Options<never>>) =>
  Effect.gen(function*() {
    const servers = yield* Cluster
    return { ...servers, ...(yield* opened(yield* servers.database, clients(servers), options)) }
  })

export const clock = Effect.sync(() => performance.now())

/** Asks again and again until the answer is as it should be, and says after how many milliseconds it was. */
export const reached = <A, E, R>(ask: Effect.Effect<A, E, R>, isSo: (answer: A) => boolean) =>
  Effect.gen(function*() {
    const before = yield* clock
    yield* Effect.repeat(ask, { schedule: Replica.soon, until: isSo }).pipe(
      Effect.timeoutFail({ duration: "20 seconds", onTimeout: () => "it never was as it should be" as const })
    )
    return (yield* clock) - before
  })

export const timed = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function*() {
    const before = yield* clock
    const result = yield* effect
    return { result, millis: (yield* clock) - before }
  })

/** Lets a replica replay nothing more until it is resumed, or the scope ends. */
export const held = (victim: Victim) =>
  Effect.acquireRelease(
    victim.query("select pg_wal_replay_pause()"),
    () => Effect.ignore(resumed(victim))
  )

export const resumed = (victim: Victim) => victim.query("select pg_wal_replay_resume()")

export const figures: Array<string> = []

export const measured = (what: string, millis: number) => {
  figures.push(`${what}: ${millis.toFixed(0)} ms`)
}

export const quiet = Logger.replace(Logger.defaultLogger, Logger.none)

/** Passes connections on to a port that can be changed, as an address does that moves to another server. */
export const proxy = (first: number) =>
  Effect.gen(function*() {
    let target = first
    const open = new Set<Socket>()
    const server = createServer((socket) => {
      const onward = connect(target, "127.0.0.1")
      for (const [one, other] of [[socket, onward], [onward, socket]] as const) {
        open.add(one)
        one.on("error", () => other.destroy())
        one.on("close", () => {
          open.delete(one)
          other.destroy()
        })
        one.pipe(other)
      }
    })
    yield* Effect.acquireRelease(
      Effect.async<void>((resume) => void server.listen(0, "127.0.0.1", () => resume(Effect.void))),
      () =>
        Effect.sync(() => {
          for (const socket of open) socket.destroy()
          server.close()
        })
    )
    const address = server.address()
    return {
      port: typeof address === "object" && address !== null ? address.port : 0,
      to: (port: number) => {
        target = port
        for (const socket of open) socket.destroy()
      }
    }
  })
