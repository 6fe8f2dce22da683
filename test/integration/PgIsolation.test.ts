import * as SqlClient from "@effect/sql/SqlClient"
import { assert, describe, it, layer } from "@effect/vitest"
import * as DocumentStore from "causeway-mcp/document/DocumentStore"
import * as RegionOutage from "causeway-mcp/document/internal/RegionOutage"
import * as PgDocumentStore from "causeway-mcp/document/PgDocumentStore"
import * as Embedder from "causeway-mcp/embedding/Embedder"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Consistency from "./consistency.js"
import * as Postgres from "./postgres.js"

const { missing } = Postgres
if (missing !== undefined) {
  // A reporter shows no reason for what it skips.
  process.stderr.write(`Isolation of a store: ${Postgres.isRequired ? "" : "skipped, "}${missing}\n`)
  describe("isolation of a store", () => {
    it("finds a server to test", (test) => Postgres.isRequired ? assert.fail(missing) : test.skip(missing))
  })
}

const instance = (database: string) =>
  Effect.gen(function*() {
    const server = yield* Postgres.Server
    const context = yield* Layer.build(
      PgDocumentStore.layer().pipe(
        Layer.provideMerge(Layer.fresh(server.client(database))),
        Layer.provide(Embedder.layerHash)
      )
    )
    return { store: Context.get(context, DocumentStore.DocumentStore), sql: Context.get(context, SqlClient.SqlClient) }
  })

const documents = (writer: number, round: number) =>
  Array.from({ length: 6 }, (_, n) => ({ id: `d${n}`, text: `State ${round} of heron ${n}, by writer ${writer}.` }))

const levels = ["repeatable read", "serializable"] as const

for (const { bin, name: server } of Postgres.found) {
  layer(Postgres.layer(bin), { timeout: "60 seconds", excludeTestServices: true })(`isolation on ${server}`, (it) => {
    for (const level of levels) {
      it.scoped(`does not matter to the store's own transactions where ${level} is the server's default`, () =>
        Effect.gen(function*() {
          const { client, createDatabase } = yield* Postgres.Server
          const database = yield* createDatabase
          yield* Effect.flatMap(
            SqlClient.SqlClient,
            (sql) => sql.unsafe(`alter database ${database} set default_transaction_isolation = '${level}'`)
          ).pipe(Effect.provide(client(database)))
          const instances = yield* Effect.all([1, 2, 3, 4].map(() => instance(database)), { concurrency: "unbounded" })
          for (let round = 0; round < 6; round++) {
            const outcomes = yield* Effect.forEach(
              [...instances, ...instances],
              ({ store }, writer) =>
                writer === 3
                  ? Effect.as(store.remove(`t${round % 3}`, ["d1", "d5"]), [])
                  : store.index(`t${round % 3}`, documents(writer, round)),
              { concurrency: "unbounded" }
            )
            assert.isTrue(outcomes.flat().every(({ status }) => status === "indexed"))
          }
          for (const { sql, store } of instances.slice(0, 1)) {
            assert.isAbove((yield* store.search({ tenant: "t1", text: "heron", limit: 9 })).length, 3)
            yield* Consistency.check(sql)
          }
        }))

      it.scoped(`tells a caller whose own transaction is ${level} to run it again, and lets that succeed`, () =>
        Effect.gen(function*() {
          const { createDatabase } = yield* Postgres.Server
          const database = yield* createDatabase
          const { sql, store } = yield* instance(database)
          const other = yield* instance(database)
          yield* store.index("t", [{ id: "first", text: "A heron." }])
          let meanwhile = 0
          const whole = sql.withTransaction(Effect.gen(function*() {
            yield* sql.unsafe(`set transaction isolation level ${level}`)
            // From here on it sees what was there at this moment.
            yield* sql`select from causeway_tenants`
            if (meanwhile++ === 0) {
              yield* Effect.fork(other.store.index("t", [{ id: "a", text: "Written by another." }])).pipe(
                Effect.flatMap((fiber) => fiber.await),
                Effect.mapInputContext((context: Context.Context<never>) =>
                  Context.omit(SqlClient.TransactionConnection)(
                    context as Context.Context<SqlClient.TransactionConnection>
                  )
                )
              )
            }
            return yield* store.index("t", [{ id: "a", text: "Written by the caller." }])
          }))
          const error = yield* Effect.flip(whole)
          if (error._tag !== "DocumentStoreError") return assert.fail(String(error))
          assert.isTrue(error.isRetryable)
          assert.include(["40001", "23505"], RegionOutage.codeOf(error))
          assert.isFalse(RegionOutage.isOutage(error))
          const outcomes = yield* Effect.retry(whole, { times: 1 })
          assert.strictEqual(outcomes[0]?.status, "indexed")
          assert.strictEqual((yield* store.get("t", "a"))[0]?.text, "Written by the caller.")
          yield* Consistency.check(sql)
        }))
    }
  })
}
