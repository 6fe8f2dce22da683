import * as SqlClient from "@effect/sql/SqlClient"
import { assert, describe, it, layer } from "@effect/vitest"
import * as PgTaskStore from "causeway-mcp/task/PgTaskStore"
import * as TaskStore from "causeway-mcp/task/TaskStore"
import * as TaskStoreLaws from "causeway-mcp/testing/TaskStoreLaws"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Postgres from "./postgres.js"

/** A store of its own, as another process would have one. */
const instance = (database: string) =>
  Effect.gen(function*() {
    const server = yield* Postgres.Server
    const context = yield* Layer.build(
      PgTaskStore.layer.pipe(Layer.provideMerge(Layer.fresh(server.client(database))))
    )
    return {
      store: yield* Effect.provide(TaskStore.TaskStore, context),
      sql: yield* Effect.provide(SqlClient.SqlClient, context)
    }
  })

const owner = TaskStore.ownerOf({ tenant: "heronry", id: "ada" })

const task: TaskStore.NewTask = {
  owner,
  tool: "count_herons",
  arguments: { year: 2026 },
  memo: {},
  ttlMs: 3_600_000,
  pollIntervalMs: 1_000,
  leaseMillis: 30_000
}

const completed = {
  status: "completed",
  result: { _tag: "Complete", content: [{ type: "text", text: "three" }], isError: false }
} as const

/** Two instances of one program, on a database of their own. */
class Handles
  extends Context.Tag("test/Handles")<Handles, readonly [TaskStore.TaskStore["Type"], TaskStore.TaskStore["Type"]]>()
{
  static readonly layer = Layer.scoped(
    Handles,
    Effect.gen(function*() {
      const server = yield* Postgres.Server
      const database = yield* server.createDatabase
      const [one, other] = yield* Effect.all([instance(database), instance(database)])
      return [one.store, other.store] as const
    })
  )
}

const { missing } = Postgres
if (missing !== undefined) {
  // A reporter shows no reason for what it skips.
  process.stderr.write(`PgTaskStore on a server: ${Postgres.isRequired ? "" : "skipped, "}${missing}\n`)
  describe("PgTaskStore on a server", () => {
    it("finds a server to test", (test) => Postgres.isRequired ? assert.fail(missing) : test.skip(missing))
  })
}

for (const { bin, name } of Postgres.found) {
  const Server = Postgres.layer(bin)

  layer(Server, { timeout: "60 seconds" })(`PgTaskStore.layer on ${name}`, (it) => {
    it.layer(Handles.layer)((it) => {
      for (const { check, name } of TaskStoreLaws.laws) {
        it.effect(name, () => Effect.flatMap(Handles, ([one, other]) => check(one, other)))
      }
    })

    it.scoped("makes its table once when many instances open an empty database together", () =>
      Effect.gen(function*() {
        const server = yield* Postgres.Server
        const database = yield* server.createDatabase
        const instances = yield* Effect.all(Array.from({ length: 6 }, () => instance(database)), {
          concurrency: "unbounded"
        })
        for (const { sql, store } of instances) {
          yield* store.ping
          assert.deepStrictEqual(yield* sql`select migration_id from causeway_task_migrations`, [{ migration_id: 1 }])
        }
      }))

    it.scoped("loses no finished result with the instance that stored it", () =>
      Effect.gen(function*() {
        const server = yield* Postgres.Server
        const database = yield* server.createDatabase
        const run = yield* Effect.scoped(Effect.gen(function*() {
          const { store } = yield* instance(database)
          const { run } = yield* store.create(task)
          yield* store.finish(run, completed)
          return run
        }))
        const { store } = yield* instance(database)
        const state = Option.getOrUndefined(yield* store.get(run.taskId, owner))
        assert.strictEqual(state?.status, "completed")
        if (state?.status === "completed") assert.deepStrictEqual(state.result, completed.result)
      }))

    it.scoped("keeps what it said when the transaction of a caller around it is rolled back", () =>
      Effect.gen(function*() {
        const server = yield* Postgres.Server
        const { sql, store } = yield* instance(yield* server.createDatabase)
        const error = yield* Effect.flip(sql.withTransaction(
          Effect.flatMap(store.create(task), ({ run }) => Effect.fail(run))
        ))
        assert.isTrue("taskId" in error && Option.isSome(yield* store.get(error.taskId, owner)))
      }))

    it.scoped("gives a hundred answers at once from four instances to one run", () =>
      Effect.gen(function*() {
        const server = yield* Postgres.Server
        const database = yield* server.createDatabase
        const instances = yield* Effect.all(Array.from({ length: 4 }, () => instance(database)))
        const keys = Array.from({ length: 100 }, (_, n) => `key-${n}`)
        const { run } = yield* instances[0]?.store.create(task) ?? Effect.dieMessage("no instance")
        const requests = Object.fromEntries(
          keys.map((key) => [key, { method: "elicitation/create", params: { message: key } }])
        )
        yield* instances[0]?.store.ask(run, requests, {}) ?? Effect.void
        const outcomes = yield* Effect.forEach(
          keys,
          (key, n) =>
            instances[n % 4]?.store.answer(run.taskId, owner, { [key]: { n } }, 30_000)
              ?? Effect.dieMessage("no instance"),
          { concurrency: "unbounded" }
        )
        const told = outcomes.filter((outcome) => outcome._tag === "Again")
        assert.lengthOf(told, 1)
        assert.deepStrictEqual(told[0]?.responses, Object.fromEntries(keys.map((key, n) => [key, { n }])))
      }))
  })

  layer(Server, { timeout: "60 seconds" })(`PgTaskStore.layer when ${name} goes away`, (it) => {
    it.scoped("answers every question with a typed error, soon", () =>
      Effect.gen(function*() {
        const server = yield* Postgres.Server
        const { store } = yield* instance(yield* server.createDatabase)
        const { run } = yield* store.create(task)
        yield* server.stop
        const questions: ReadonlyArray<Effect.Effect<unknown, TaskStore.TaskStoreError>> = [
          store.ping,
          store.sweep,
          store.create(task),
          store.get(run.taskId, owner),
          store.ask(run, { a: { method: "elicitation/create", params: {} } }, {}),
          store.answer(run.taskId, owner, { a: {} }, 1_000),
          store.finish(run, completed),
          store.cancel(run.taskId, owner),
          store.renew([run], 1_000)
        ]
        for (const question of questions) {
          const error = yield* Effect.flip(question)
          assert.strictEqual(error.reason._tag, "Unavailable")
          assert.isTrue(error.isRetryable)
          assert.match(error.message, /^TaskStore\.\w+: the task store did not answer$/)
        }
      }))
  })
}
