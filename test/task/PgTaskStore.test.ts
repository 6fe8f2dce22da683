import * as SqlClient from "@effect/sql/SqlClient"
import { assert, layer } from "@effect/vitest"
import * as Pglite from "causeway-mcp/document/Pglite"
import * as PgTaskStore from "causeway-mcp/task/PgTaskStore"
import * as TaskStore from "causeway-mcp/task/TaskStore"
import * as TaskStoreLaws from "causeway-mcp/testing/TaskStoreLaws"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Directory from "../document/directory.js"

const Client = Layer.unwrapScoped(Effect.map(Directory.prepared, (dataDir) => Pglite.layer({ dataDir })))

const Store = PgTaskStore.layer.pipe(Layer.provideMerge(Client))

layer(Store, { timeout: "60 seconds" })("PgTaskStore.layer on PGlite", (it) => {
  for (const { check, name } of TaskStoreLaws.laws) {
    it.effect(name, () =>
      Effect.gen(function*() {
        yield* check(yield* TaskStore.TaskStore, yield* PgTaskStore.make)
      }))
  }

  it.effect("refuses a table of a later version", () =>
    Effect.gen(function*() {
      const sql = yield* SqlClient.SqlClient
      yield* sql`insert into causeway_task_migrations (migration_id, name) values (99, 'later')`
      const error = yield* Effect.flip(PgTaskStore.make).pipe(
        Effect.ensuring(Effect.orDie(sql`delete from causeway_task_migrations where migration_id = 99`))
      )
      assert.strictEqual(error.reason._tag, "Incompatible")
      assert.isFalse(error.isRetryable)
      assert.match(error.message, /version 99 .* update the program/)
    }))

  it.effect("keeps nothing of a call that has ended but its outcome", () =>
    Effect.gen(function*() {
      const store = yield* TaskStore.TaskStore
      const sql = yield* SqlClient.SqlClient
      const owner = TaskStore.ownerOf({ tenant: "heronry", id: "ada" })
      const { run } = yield* store.create({
        owner,
        tool: "count_herons",
        arguments: { password: "secret" },
        memo: "secret",
        ttlMs: null,
        pollIntervalMs: 1,
        leaseMillis: 1
      })
      yield* store.ask(run, { a: { method: "elicitation/create", params: { message: "secret" } } }, "secret")
      yield* store.cancel(run.taskId, owner)
      const rows = yield* sql`select * from causeway_tasks where id = ${run.taskId}`
      assert.notInclude(JSON.stringify(rows), "secret")
      assert.include(JSON.stringify(rows), "cancelled")
    }))
})
