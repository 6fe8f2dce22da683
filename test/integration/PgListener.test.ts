import * as SqlClient from "@effect/sql/SqlClient"
import { assert, describe, it, layer } from "@effect/vitest"
import * as PgListener from "causeway-mcp/document/PgListener"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import * as Net from "node:net"
import * as Postgres from "./postgres.js"

/** Looks every few milliseconds until something is so. */
const until = (isSo: () => boolean) =>
  Effect.sync(isSo).pipe(
    Effect.repeat({ until: (is) => is, schedule: Schedule.spaced("5 millis") }),
    Effect.timeout("10 seconds")
  )

/** Collects what is logged. */
const withLog = <A, E, R>(effect: (lines: ReadonlyArray<string>) => Effect.Effect<A, E, R>) => {
  const lines: Array<string> = []
  const logger = Logger.make(({ logLevel, message }) => void lines.push(`${logLevel.label} ${String(message)}`))
  return Effect.provide(effect(lines), Logger.replace(Logger.defaultLogger, logger))
}

const database = Effect.gen(function*() {
  const server = yield* Postgres.Server
  const name = yield* server.createDatabase
  const sql = yield* Effect.provide(SqlClient.SqlClient, yield* Layer.build(server.client(name)))
  const [{ port } = { port: 0 }] = yield* sql<{ readonly port: number }>`select inet_server_port() as port`
  const urlAt = (at: number) => Redacted.make(`postgres://postgres:sesame@127.0.0.1:${at}/${name}`)
  return {
    sql,
    port,
    url: urlAt(port),
    urlAt,
    notify: (channel: string, payload: string) => sql`select pg_notify(${channel}, ${payload})`,
    sessions: sql<{ readonly pid: number }>`
      select pid from pg_stat_activity where application_name = 'causeway-listener' and datname = current_database()`
  }
})

/** Passes connections on to a port, until it is frozen: then nothing arrives any more and nothing is closed. */
const proxy = (port: number) =>
  Effect.acquireRelease(
    Effect.async<{ readonly port: number; readonly freeze: () => void; readonly close: () => void }>((resume) => {
      const sockets = new Set<Net.Socket>()
      const server = Net.createServer((front) => {
        const back = Net.connect(port, "127.0.0.1")
        for (const socket of [front, back]) {
          sockets.add(socket)
          socket.on("error", () => undefined)
        }
        front.pipe(back)
        back.pipe(front)
      })
      server.listen(0, "127.0.0.1", () => {
        const address = server.address()
        resume(Effect.succeed({
          port: typeof address === "object" && address !== null ? address.port : 0,
          freeze: () => {
            for (const socket of sockets) socket.unpipe().pause()
          },
          close: () => {
            for (const socket of sockets) socket.destroy()
            server.close()
          }
        }))
      })
    }),
    ({ close }) => Effect.sync(close)
  )

const { missing } = Postgres
if (missing !== undefined) {
  // A reporter shows no reason for what it skips.
  process.stderr.write(`PgListener on a server: ${Postgres.isRequired ? "" : "skipped, "}${missing}\n`)
  describe("PgListener on a server", () => {
    it("finds a server to test", (test) => Postgres.isRequired ? assert.fail(missing) : test.skip(missing))
  })
}

for (const { bin, name } of Postgres.found.slice(0, 1)) {
  layer(Postgres.layer(bin), { timeout: "60 seconds", excludeTestServices: true })(`PgListener on ${name}`, (it) => {
    it.scoped("brings the notifications of several channels over one connection, and no others", () =>
      Effect.gen(function*() {
        const { notify, sessions, url } = yield* database
        const listener = yield* PgListener.make({ url })
        const heard: Array<string> = []
        listener.listen("first", (payload) => heard.push(`first ${payload}`))
        listener.listen("Second \"one\"", (payload) => heard.push(`second ${payload}`))
        yield* until(() => heard.length === 2)
        assert.deepStrictEqual(heard.splice(0), ["first undefined", "second undefined"])
        yield* notify("first", "a")
        yield* notify("third", "b")
        yield* notify("Second \"one\"", "")
        yield* until(() => heard.length === 2)
        assert.deepStrictEqual(heard, ["first a", "second "])
        assert.strictEqual((yield* sessions).length, 1)
      }))

    it.scoped("stops calling a listener that left, and only that one", () =>
      Effect.gen(function*() {
        const { notify, url } = yield* database
        const listener = yield* PgListener.make({ url })
        const heard: Array<string> = []
        const leave = listener.listen("c", (payload) => heard.push(`left ${payload}`))
        listener.listen("c", (payload) => heard.push(`stays ${payload}`))
        yield* until(() => heard.length === 2)
        leave()
        leave()
        yield* notify("c", "a")
        yield* until(() => heard.length === 3)
        assert.deepStrictEqual(heard.slice(2), ["stays a"])
      }))

    it.scoped("says whether the server answers, on its own connection", () =>
      Effect.gen(function*() {
        const { port, sessions, urlAt } = yield* database
        const between = yield* proxy(port)
        const listener = yield* PgListener.make({ url: urlAt(between.port), connectTimeout: "300 millis" })
        yield* Effect.retry(listener.ping, Schedule.spaced("5 millis")).pipe(Effect.timeout("10 seconds"))
        yield* Effect.all([listener.ping, listener.ping, listener.ping], { concurrency: "unbounded" })
        assert.strictEqual((yield* sessions).length, 1)
        between.freeze()
        const began = performance.now()
        assert.strictEqual((yield* Effect.flip(listener.ping))._tag, "Unavailable")
        assert.isBelow(performance.now() - began, 2_000)
        between.close()
        const refused = performance.now()
        yield* Effect.flip(listener.ping)
        assert.isBelow(performance.now() - refused, 1_000)
      }))

    it.scoped("opens the connection again when the server ends it, and says that something may have been missed", () =>
      withLog((log) =>
        Effect.gen(function*() {
          const { notify, sessions, sql, url } = yield* database
          const listener = yield* PgListener.make({ url })
          const heard: Array<string | undefined> = []
          listener.listen("c", (payload) => heard.push(payload))
          for (let round = 1; round <= 3; round++) {
            yield* until(() => heard.length === 2 * round - 1)
            assert.strictEqual(heard.at(-1), undefined)
            yield* notify("c", `round ${round}`)
            yield* until(() => heard.at(-1) === `round ${round}`)
            for (const { pid } of yield* sessions) yield* sql`select pg_terminate_backend(${pid})`
          }
          yield* until(() => heard.length === 7)
          assert.deepStrictEqual(log, [])
        })
      ))

    it.scoped("notices a connection that has died without a word", () =>
      Effect.gen(function*() {
        const { notify, port, urlAt } = yield* database
        const way = yield* proxy(port)
        const listener = yield* PgListener.make({
          url: urlAt(way.port),
          keepAlive: "200 millis",
          connectTimeout: "300 millis"
        })
        const heard: Array<string | undefined> = []
        listener.listen("c", (payload) => heard.push(payload))
        yield* until(() => heard.length === 1)
        way.freeze()
        yield* notify("c", "lost")
        yield* until(() => heard.length === 2)
        yield* notify("c", "found")
        yield* until(() => heard.length === 3)
        assert.deepStrictEqual(heard, [undefined, undefined, "found"])
      }))

    it.scoped("notices such a connection also when the clock was set back meanwhile", () =>
      Effect.gen(function*() {
        const { port, urlAt } = yield* database
        const way = yield* proxy(port)
        const clock = yield* Effect.clock
        let setBack = 0
        const millis = () => clock.unsafeCurrentTimeMillis() - setBack
        const listener = yield* PgListener.make({
          url: urlAt(way.port),
          keepAlive: "200 millis",
          connectTimeout: "300 millis"
        }).pipe(Effect.withClock({
          [Clock.ClockTypeId]: Clock.ClockTypeId,
          unsafeCurrentTimeMillis: millis,
          currentTimeMillis: Effect.sync(millis),
          unsafeCurrentTimeNanos: () => clock.unsafeCurrentTimeNanos(),
          currentTimeNanos: clock.currentTimeNanos,
          sleep: (duration) => clock.sleep(duration)
        }))
        const heard: Array<string | undefined> = []
        listener.listen("c", (payload) => heard.push(payload))
        yield* until(() => heard.length === 1)
        setBack = 3_600_000
        way.freeze()
        yield* until(() => heard.length === 2)
      }))

    it.scoped("keeps a silent connection that lives", () =>
      Effect.gen(function*() {
        const { sessions, sql, url } = yield* database
        const listener = yield* PgListener.make({ url, keepAlive: "30 millis" })
        const heard: Array<string | undefined> = []
        listener.listen("c", (payload) => heard.push(payload))
        yield* until(() => heard.length === 1)
        const [before] = yield* sessions
        const probed = sql<{ readonly query: string }>`
          select query from pg_stat_activity where pid = ${before?.pid ?? 0}`
        yield* Effect.repeat(probed, { until: ([row]) => row?.query === "select 1" })
        assert.deepStrictEqual((yield* sessions).map(({ pid }) => pid), [before?.pid])
        assert.deepStrictEqual(heard, [undefined])
      }))

    it.scoped("waits for a server that is not there yet, logs it once and without a secret", () =>
      withLog((log) =>
        Effect.gen(function*() {
          const { notify, port, urlAt } = yield* database
          const away = yield* Postgres.freePort
          const listener = yield* PgListener.make({ url: urlAt(away) })
          const heard: Array<string | undefined> = []
          listener.listen("c", (payload) => heard.push(payload))
          yield* until(() => log.length === 1)
          const server = yield* Effect.acquireRelease(
            Effect.sync(() =>
              Net.createServer((front) => {
                front.on("error", () => undefined)
                const back = Net.connect(port, "127.0.0.1").on("error", () => undefined)
                front.pipe(back)
                back.pipe(front)
              }).listen(away, "127.0.0.1")
            ),
            (server) => Effect.sync(() => server.close())
          )
          yield* until(() => heard.length === 1)
          yield* notify("c", "a")
          yield* until(() => heard.length === 2)
          assert.strictEqual(server.listening, true)
          assert.match(log[0] ?? "", /^WARN Postgres at 127\.0\.0\.1:\d+ cannot be listened to \(ECONNREFUSED\)/)
          assert.match(log[1] ?? "", /^INFO .* can be listened to again$/)
          assert.strictEqual(log.length, 2)
          assert.notInclude(log.join(), "sesame")
        })
      ))

    it.scoped("gives its connection back with the scope", () =>
      Effect.gen(function*() {
        const { sessions, url } = yield* database
        yield* Effect.scoped(Effect.gen(function*() {
          const listener = yield* PgListener.make({ url })
          let isOpen = false
          listener.listen("c", () => {
            isOpen = true
          })
          yield* until(() => isOpen)
        }))
        yield* Effect.repeat(sessions, { until: (rows) => rows.length === 0 })
      }))
  })
}
