import { assert, describe, it } from "@effect/vitest"
import * as FakeProvider from "causeway-mcp/testing/FakeProvider"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import { http } from "../interop/server.js"
import * as Killable from "./killable.js"
import * as Agents from "./outageAgents.js"
import * as Postgres from "./postgres.js"
import * as Redis from "./redis.js"

/** Milliseconds in which what a store's outage does has to be over when it is back. */
const heals = 5_000

/** Milliseconds in which a search has an answer, whatever it is. */
const prompt = 1_000

/** Milliseconds for everything else: what a search may take, and the model's 1.8 s. */
const deadline = 3_000

const outage = "3 seconds"

/** Of a hundred calls those that the server may turn away by its guard against overload: this machine is shared. */
const shed = 10

const { answer, profile, record, search, structured } = Agents

const isWhole = ({ code, degraded }: Agents.Entry): boolean => code === undefined && degraded === undefined

const show = (entry: Agents.Entry): string =>
  `${entry.tool} took ${Math.round(entry.took)} ms: ${entry.code ?? entry.degraded ?? "answered"} ${entry.text}`

const until = (what: string, isSo: () => boolean, last: () => string) =>
  Effect.sync(isSo).pipe(
    Effect.repeat({ until: (so) => so, schedule: Schedule.spaced("20 millis") }),
    Effect.timeoutFail({
      duration: "20 seconds",
      onTimeout: () => new Error(`waited in vain until ${what}: ${last()}`)
    }),
    Effect.orDie
  )

/** What was seen from when all was well to when all was well again; `from` the store failed, and it was `back` then. */
interface History {
  readonly from: number
  readonly back: number
  readonly entries: ReadonlyArray<Agents.Entry>
  readonly seen: ReadonlyArray<Agents.Ready>
}

/** The reference server over servers that may be killed or stopped, and agents who keep it busy. */
const scene = (bin: string) =>
  Effect.gen(function*() {
    const postgres = yield* Killable.make(bin)
    const redis = yield* Redis.make()
    const provider = yield* FakeProvider.make
    yield* provider.script("*", Agents.reply)
    const { url } = yield* http({
      DATABASE_URL: `postgres://postgres@127.0.0.1:${postgres.port}/postgres`,
      REDIS_URL: `redis://127.0.0.1:${redis.port}`,
      DEEPSEEK_API_KEY: "sk-test",
      DEEPSEEK_BASE_URL: provider.baseUrl,
      DEEPSEEK_MODEL: "model",
      SAMPLE_CORPUS: "always",
      // All agents are one caller, and are counted all the same.
      RATE_LIMIT: "100000",
      // A question that was asked before is asked of the model again.
      LLM_CACHE: "off"
    })
    const { entries } = yield* Agents.busy(url, 4)
    const { seen } = yield* Agents.probing(url)

    /** Waits until each tool has answered in full several times. */
    const well = Effect.suspend(() => {
      const since = performance.now()
      return until(
        "every tool answers in full",
        () =>
          [search, answer, profile, record, structured].every((tool) =>
            entries.filter((entry) => entry.tool === tool && entry.began >= since && isWhole(entry)).length >= 8
          ),
        () => entries.filter((entry) => !isWhole(entry)).slice(-3).map(show).join("; ")
      )
    })

    /** Has an outage begin, lets it last, and ends it. */
    const during = (name: string, begin: Effect.Effect<unknown>, end: Effect.Effect<unknown>) =>
      Effect.gen(function*() {
        yield* well
        const start = performance.now()
        yield* Effect.sleep("500 millis")
        const from = performance.now()
        yield* begin
        yield* Effect.sleep(outage)
        yield* end
        const back = performance.now()
        yield* Effect.sleep(heals)
        yield* well
        const all = entries.filter(({ began }) => began >= start)
        const history: History = {
          from,
          back,
          // The server has its own opinion of how busy this machine is.
          entries: all.filter((entry) => !show(entry).includes("too much to do")),
          seen: seen.filter(({ at }) => at >= start)
        }
        report(name, history)
        assert.isAtMost(
          100 * (all.length - history.entries.length),
          shed * all.length,
          "calls turned away: is this machine busy?"
        )
        return history
      })
    return { postgres, redis, during }
  })

/** What may have met the outage, or what came of it. */
const affected = ({ back, entries, from }: History, ...tools: ReadonlyArray<string>) =>
  entries.filter(({ began, ended, tool }) => ended >= from && began < back + heals && tools.includes(tool))

/** What met the outage and nothing else. */
const within = ({ back, entries, from }: History, tool: string) => {
  const all = entries.filter((entry) => entry.tool === tool && entry.began >= from && entry.ended < back)
  assert.isAbove(all.length, 5, tool)
  return all
}

const report = (name: string, history: History): void => {
  const longest = (...tools: ReadonlyArray<string>) =>
    Math.round(Math.max(0, ...affected(history, ...tools).map(({ took }) => took)))
  const last = Math.max(history.back, ...history.entries.flatMap((entry) => isWhole(entry) ? [] : [entry.ended]))
  process.stderr.write(
    `${name}: ${history.entries.length} calls; at most ${longest(search)} ms for a search, ${
      longest(answer)
    } ms for an ` +
      `answer, ${longest(profile, record, structured)} ms for another tool; well ${
        Math.round(last - history.back)
      } ms after its return\n`
  )
}

const areWhole = (history: History, ...tools: ReadonlyArray<string>): void => {
  for (const entry of history.entries) if (tools.includes(entry.tool)) assert.isTrue(isWhole(entry), show(entry))
}

/**
 * What this shared machine adds to a call, milliseconds: the tool that needs no
 * store takes a tenth of a second where nobody else works.
 */
const heldUp = ({ entries }: History): number =>
  Math.max(0, ...entries.flatMap(({ took, tool }) => tool === structured ? [took - 250] : []))

/** All is well before, and from five seconds after; nothing hangs; a balancer keeps the server, and is told what it lacks. */
const isBounded = (history: History, lacking: ReadonlyArray<string>): void => {
  const { back, entries, from, seen } = history
  const more = heldUp(history)
  for (const entry of entries) {
    assert.isBelow(entry.took, (entry.tool === search ? prompt : deadline) + more, show(entry))
    if (entry.ended < from || entry.began >= back + heals) assert.isTrue(isWhole(entry), show(entry))
  }
  for (const { status, took } of seen) {
    assert.strictEqual(status, 200)
    assert.isBelow(took, prompt + more)
  }
  const told = seen.filter((ready) => ready.at >= from && ready.at < back + heals && ready.lacking.length > 0)
  assert.isAbove(told.length, 0)
  for (const ready of told) {
    assert.includeMembers([...ready.lacking], [...lacking])
    assert.notInclude(ready.lacking, structured)
  }
  for (const ready of seen) if (ready.at >= back + heals) assert.deepStrictEqual(ready.lacking, [])
}

const withoutDocuments = (history: History): void => {
  areWhole(history, profile, record, structured)
  for (const entry of within(history, search)) {
    assert.strictEqual(entry.code, "temporarily_unavailable", show(entry))
    assert.strictEqual(entry.fallback, profile, show(entry))
    assert.match(entry.text, /temporarily unavailable.*fetch_user_preference_profile/iu)
  }
  for (const entry of within(history, answer)) {
    assert.isUndefined(entry.code, show(entry))
    assert.deepStrictEqual(entry.missing, ["document-store"], show(entry))
    assert.match(entry.degraded ?? "", /document store is temporarily unavailable.*session history/u)
    assert.match(entry.text, /document store is temporarily unavailable.*session history/u)
    assert.include(entry.kinds, "session-store")
    assert.notInclude(entry.kinds, "document-store")
  }
  isBounded(history, [search, answer])
}

const withoutHistory = (history: History): void => {
  areWhole(history, search, structured)
  for (const tool of [profile, record]) {
    for (const entry of within(history, tool)) {
      assert.strictEqual(entry.code, "temporarily_unavailable", show(entry))
      assert.match(entry.text, /temporarily unavailable/iu)
    }
    for (const entry of affected(history, tool)) {
      assert.isBelow(entry.took, 1.5 * prompt + heldUp(history), show(entry))
    }
  }
  for (const entry of within(history, answer)) {
    assert.isUndefined(entry.code, show(entry))
    assert.deepStrictEqual(entry.missing, ["session-store"], show(entry))
    assert.match(entry.degraded ?? "", /session history is temporarily unavailable/u)
    assert.match(entry.text, /session history is temporarily unavailable/u)
    assert.include(entry.kinds, "document-store")
  }
  isBounded(history, [profile, record, answer])
}

const server = Postgres.found[0]
const { missing } = Postgres
if (server === undefined) {
  // A reporter shows no reason for what it skips.
  process.stderr.write(`A store's outage under load: ${Postgres.isRequired ? "" : "skipped, "}${missing}\n`)
  describe("a store's outage under load", () => {
    it("finds a server to test", (test) => Postgres.isRequired ? assert.fail(missing) : test.skip(missing))
  })
} else {
  Redis.suite(`a store's outage under load, on ${server.name}`, () => {
    it.scopedLive(
      "leaves agents the other tools, an answer from history, and is over soon, be Postgres dead or hung",
      () =>
        Effect.gen(function*() {
          const { during, postgres } = yield* scene(server.bin)
          withoutDocuments(yield* during("Postgres killed", postgres.kill(true), postgres.start))
          yield* Effect.addFinalizer(() => postgres.resume)
          withoutDocuments(yield* during("Postgres stopped", postgres.pause, postgres.resume))
        }),
      90_000
    )

    it.scopedLive(
      "leaves agents the search, an answer from documents, and is over soon, be Redis dead or hung",
      () =>
        Effect.gen(function*() {
          const { during, redis } = yield* scene(server.bin)
          withoutHistory(yield* during("Redis killed", redis.kill, redis.start))
          yield* Effect.addFinalizer(() => redis.resume)
          withoutHistory(yield* during("Redis stopped", redis.pause, redis.resume))
        }),
      90_000
    )
  })
}
