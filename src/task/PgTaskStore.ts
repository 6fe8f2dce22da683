/**
 * The task store on any Postgres: a server through `@effect/sql-pg`, or PGlite
 * in this process.
 *
 * Every change is one statement that says in which state it applies, so that
 * instances need no lock. Statements never join a transaction of the caller:
 * what a client is told of a task cannot be rolled back. Needs Postgres 14 or
 * later.
 *
 * @since 0.1.0
 */
import * as SqlClient from "@effect/sql/SqlClient"
import * as Clock from "effect/Clock"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as PgTaskFailure from "./internal/PgTaskFailure.js"
import * as PgTaskSchema from "./internal/PgTaskSchema.js"
import * as TaskRow from "./internal/TaskRow.js"
import * as TaskText from "./internal/TaskText.js"
import type { Run, TaskStoreError } from "./TaskStore.js"
import { TaskStore } from "./TaskStore.js"

type Store = Context.Tag.Service<TaskStore>

/** 64-bit numbers as `float8`, since drivers do not agree on how they arrive; JSON as text, since some parse it. */
const columns = `id, owner, tool, arguments, memo, status, run, requests, outcome,
  open::text as open, answers::text as answers, created_at::float8 as created, updated_at::float8 as updated,
  expires_at::float8 as expires, lease_until::float8 as lease, poll_interval as poll`

type Stored = Omit<TaskRow.TaskRow, "answers" | "open"> & { readonly open: string; readonly answers: string }

const toRow = (stored: Stored): TaskRow.TaskRow => ({
  ...stored,
  // These texts were written by the statements below.
  open: JSON.parse(stored.open) as ReadonlyArray<string>,
  answers: JSON.parse(stored.answers) as TaskText.Answers
})

/** A task that has ended keeps nothing that only another run would need. */
const forgotten = "arguments = null, memo = 'null', requests = '{}', open = '[]', answers = '{}', lease_until = null"

/** How long a statement may take. */
const deadline = "5 seconds"

/**
 * Opens the store: makes or updates its table, once for all instances that
 * start together.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make: Effect.Effect<Store, TaskStoreError, SqlClient.SqlClient> = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient
  yield* PgTaskSchema.open
  const row = sql.literal(columns)
  const cleared = sql.literal(forgotten)
  const kept = (now: number) => sql`(expires_at is null or expires_at > ${now}::bigint)`
  const owned = (taskId: string, owner: string, now: number) =>
    sql`id = ${taskId} and owner = ${owner} and ${kept(now)}`
  const runningIn = (run: Run, now: number) =>
    sql`id = ${run.taskId} and run = ${run.number}::int and status = 'working' and ${kept(now)}`

  const find = (taskId: string, owner: string, now: number) =>
    Effect.map(
      sql<Stored>`select ${row} from causeway_tasks where ${owned(taskId, owner, now)}`,
      ([found]) => found === undefined ? undefined : toRow(found)
    )

  const create: Store["create"] = Effect.fn("TaskStore.create")(function*(task) {
    const texts = yield* PgTaskFailure.written("create", TaskText.call(task))
    const fresh = TaskRow.fresh(task, texts, yield* Clock.currentTimeMillis)
    yield* sql`
      insert into causeway_tasks (id, owner, tool, arguments, memo, status, run, requests, open, answers,
        created_at, updated_at, expires_at, lease_until, poll_interval)
      values (${fresh.id}, ${fresh.owner}, ${fresh.tool}, ${fresh.arguments}, ${fresh.memo}, ${fresh.status},
        ${fresh.run}::int, ${fresh.requests}, '[]', '{}', ${fresh.created}::bigint, ${fresh.updated}::bigint,
        ${fresh.expires}::bigint, ${fresh.lease}::bigint, ${fresh.poll}::int)`.pipe(
      PgTaskFailure.within("create", deadline)
    )
    return { run: { taskId: fresh.id, number: fresh.run }, state: TaskRow.toState(fresh) }
  })

  const get: Store["get"] = Effect.fn("TaskStore.get")(function*(taskId, owner) {
    if (!TaskRow.isId(taskId)) return Option.none()
    const now = yield* Clock.currentTimeMillis
    return yield* Effect.gen(function*() {
      const found = yield* find(taskId, owner, now)
      if (found === undefined) return Option.none()
      if (!TaskRow.isLapsed(found, now)) return Option.some(TaskRow.toState(found))
      yield* sql`
        update causeway_tasks
        set status = 'failed', outcome = ${TaskRow.lapsedOutcome}, updated_at = ${now}::bigint, ${cleared}
        where id = ${taskId} and status = 'working' and lease_until <= ${now}::bigint`
      // Whatever changed it first, this statement or another instance, it is shown as it is now.
      return Option.map(Option.fromNullable(yield* find(taskId, owner, now)), TaskRow.toState)
    }).pipe(PgTaskFailure.within("get", deadline))
  })

  const ask: Store["ask"] = Effect.fn("TaskStore.ask")(function*(run, requests, memo) {
    const round = yield* PgTaskFailure.written("ask", TaskText.round(requests, memo))
    if (round.open.length === 0) return false
    const now = yield* Clock.currentTimeMillis
    const rows = yield* sql`
      update causeway_tasks
      set status = 'input_required', requests = ${round.requests}, open = ${JSON.stringify(round.open)}::jsonb,
        answers = '{}', memo = ${round.memo}, updated_at = ${now}::bigint, lease_until = null
      where ${runningIn(run, now)} returning id`.pipe(PgTaskFailure.within("ask", deadline))
    return rows.length > 0
  })

  const answer: Store["answer"] = Effect.fn("TaskStore.answer")(
    function*(taskId, owner, responses, leaseMillis) {
      if (!TaskRow.isId(taskId)) return { _tag: "Unknown" }
      const answers = yield* PgTaskFailure.written("answer", TaskText.answers(responses))
      const now = yield* Clock.currentTimeMillis
      const keys = sql`array(select jsonb_array_elements_text(${JSON.stringify(Object.keys(answers))}::jsonb))`
      const isLast = sql`open - ${keys} = '[]'::jsonb`
      return yield* Effect.gen(function*() {
        const [changed] = yield* sql<Stored>`
          update causeway_tasks
          set open = open - ${keys},
            answers = answers || (
              select jsonb_object_agg(given.key, given.value) from jsonb_each(${
          JSON.stringify(answers)
        }::jsonb) as given
              where open ? given.key
            ),
            status = case when ${isLast} then 'working' else status end,
            run = case when ${isLast} then run + 1 else run end,
            lease_until = case when ${isLast} then ${now + leaseMillis}::bigint end,
            updated_at = ${now}::bigint
          where ${owned(taskId, owner, now)} and status = 'input_required' and open ?| ${keys}
          returning ${row}`
        if (changed === undefined) {
          const found = yield* find(taskId, owner, now)
          return { _tag: found === undefined ? "Unknown" : "Ignored" } as const
        }
        const answered = toRow(changed)
        return answered.open.length > 0 ? { _tag: "Waiting" } as const : TaskRow.again(answered)
      }).pipe(PgTaskFailure.within("answer", deadline))
    }
  )

  const finish: Store["finish"] = Effect.fn("TaskStore.finish")(function*(run, outcome) {
    const text = yield* PgTaskFailure.written("finish", TaskText.outcome(outcome))
    const now = yield* Clock.currentTimeMillis
    const rows = yield* sql`
      update causeway_tasks
      set status = ${outcome.status}, outcome = ${text}, updated_at = ${now}::bigint, ${cleared}
      where ${runningIn(run, now)} returning id`.pipe(PgTaskFailure.within("finish", deadline))
    return rows.length > 0
  })

  const cancel: Store["cancel"] = Effect.fn("TaskStore.cancel")(function*(taskId, owner) {
    if (!TaskRow.isId(taskId)) return "unknown"
    const now = yield* Clock.currentTimeMillis
    return yield* Effect.gen(function*() {
      const rows = yield* sql`
        update causeway_tasks set status = 'cancelled', updated_at = ${now}::bigint, ${cleared}
        where ${owned(taskId, owner, now)} and status in ('working', 'input_required') returning id`
      if (rows.length > 0) return "cancelled"
      return (yield* find(taskId, owner, now)) === undefined ? "unknown" : "ended"
    }).pipe(PgTaskFailure.within("cancel", deadline))
  })

  const renew: Store["renew"] = Effect.fn("TaskStore.renew")(function*(runs, leaseMillis) {
    if (runs.length === 0) return []
    const now = yield* Clock.currentTimeMillis
    const rows = yield* sql<{ readonly id: string; readonly run: number }>`
      update causeway_tasks as task set lease_until = ${now + leaseMillis}::bigint
      from jsonb_to_recordset(${JSON.stringify(runs)}::jsonb) as given("taskId" text, number int)
      where task.id = given."taskId" and task.run = given.number and task.status = 'working' and ${kept(now)}
      returning task.id, task.run`.pipe(PgTaskFailure.within("renew", deadline))
    return rows.map((row) => ({ taskId: row.id, number: row.run }))
  })

  const sweep: Store["sweep"] = Effect.gen(function*() {
    const now = yield* Clock.currentTimeMillis
    // Another instance may be at it: whatever it holds is as good as gone.
    const rows = yield* sql`
      delete from causeway_tasks where id = any(array(
        select id from causeway_tasks where expires_at <= ${now}::bigint
        order by expires_at limit 1000 for update skip locked
      )) returning id`
    return rows.length
  }).pipe(PgTaskFailure.within("sweep", "30 seconds"), Effect.withSpan("TaskStore.sweep"))

  const ping: Store["ping"] = Effect.asVoid(sql`select 1`).pipe(PgTaskFailure.within("ping", "2 seconds"))

  return { create, get, ask, answer, finish, cancel, renew, sweep, ping }
})

/**
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<TaskStore, TaskStoreError, SqlClient.SqlClient> = Layer.effect(TaskStore, make)
