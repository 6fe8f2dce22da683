import * as PgClient from "@effect/sql-pg/PgClient"
import { assert, describe, it, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Postgres from "./postgres.js"
import {
  clients,
  Cluster,
  cluster,
  document,
  figures,
  measured,
  opened,
  proxy,
  query,
  quiet,
  reached,
  tenant
} from "./regionServers.js"

if (Postgres.missing !== undefined) {
  const { missing } = Postgres
  process.stderr.write(`Promotion on servers: ${Postgres.isRequired ? "" : "skipped, "}${missing}\n`)
  describe("Promotion on servers", () => {
    it("finds a server to test", (test) => Postgres.isRequired ? assert.fail(missing) : test.skip(missing))
  })
}

/** The first alone, unless `ALL_SERVERS=1`. What is tested is the same on all. */
const servers = process.env["ALL_SERVERS"] === "1" ? Postgres.found : Postgres.found.slice(0, 1)

for (const { bin, name } of servers) {
  const Servers = Layer.scoped(Cluster, cluster).pipe(Layer.provide(Postgres.layer(bin)), Layer.merge(quiet))

  layer(Servers, { timeout: "3 minutes", excludeTestServices: true })(
    `PgRegions.layer when a replica of ${name} is promoted`,
    (it) => {
      it.scoped(
        "passes over it, reads from it when nothing else is left, and follows it under the primary's name",
        () =>
          Effect.gen(function*() {
            const servers = yield* Cluster
            const { far, home, near } = servers
            const moved = yield* proxy(home.port)
            const client = (database: string) =>
              PgClient.layer({ host: "127.0.0.1", port: moved.port, username: "postgres", database, maxConnections: 8 })
            const { origin, regions, store } = yield* opened(yield* servers.database, {
              ...clients(servers),
              home: client
            })
            yield* store.index(tenant, [document(1)])
            yield* reached(origin, (at) => at?.region === "near")
            yield* near.query("select pg_promote()")
            measured("a promoted replica is passed over after", yield* reached(origin, (at) => at?.region === "far"))
            const [, promoted] = yield* regions.status
            assert.strictEqual(promoted?.state, "behind")
            assert.include(promoted?.note ?? "", "promoted")

            yield* home.kill
            yield* far.kill
            yield* reached(Effect.either(origin), (at) => at._tag === "Right" && at.right?.region === "near")
            assert.strictEqual((yield* Effect.flip(store.index(tenant, [document(2)]))).reason._tag, "Unavailable")

            // The address of the primary moves; the other replica does not follow yet.
            yield* far.start
            moved.to(near.port)
            measured(
              "an address that moved to the promoted one is written to after",
              yield* reached(Effect.either(store.index(tenant, [document(3)])), ({ _tag }) => _tag === "Right")
            )
            const [hit] = yield* store.search(query)
            assert.strictEqual(hit?.passage.text, "Report 3 is about herons.")
            // It is a copy of what was, not of what is.
            yield* reached(regions.status, ([, , other]) =>
              other?.state === "behind" && other.note?.includes("timeline") === true)

            yield* far.query(
              `alter system set primary_conninfo = 'host=127.0.0.1 port=${near.port} user=postgres'`
            )
            yield* far.query("select pg_reload_conf()")
            measured(
              "a replica that follows the new primary is read after",
              yield* reached(origin, (at) =>
                at?.region === "far")
            )
            const [again] = yield* store.search(query)
            assert.strictEqual(again?.passage.text, "Report 3 is about herons.")
          }),
        { timeout: 120_000 }
      )

      it("tells what it measured", () => {
        process.stderr.write(`PgRegions on ${name}\n${figures.splice(0).map((line) => `  ${line}\n`).join("")}`)
      })
    }
  )
}
