/**
 * Opens the copies of the store in the background, and looks again and again
 * whether each answers and where it stands.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import type * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as ExecutionStrategy from "effect/ExecutionStrategy"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import * as Coalescer from "../../policy/Coalescer.js"
import type { DocumentStore, DocumentStoreError } from "../DocumentStore.js"
import * as Moment from "../Moment.js"
import type { PgReader } from "./PgReader.js"
import * as RegionCopy from "./RegionCopy.js"
import * as RegionLedger from "./RegionLedger.js"
import * as RegionOutage from "./RegionOutage.js"
import * as RegionPlace from "./RegionPlace.js"
import * as RegionTokens from "./RegionTokens.js"

type Store = Context.Tag.Service<DocumentStore>

/**
 * What can be asked of a server once it was reached.
 *
 * @since 0.1.0
 * @category models
 */
export interface Connection {
  /** `undefined` while the server cannot say. */
  readonly place: Effect.Effect<RegionPlace.Place | undefined, DocumentStoreError>
  /** Opens the store to be read, and changes nothing. */
  readonly reader: Effect.Effect<PgReader, DocumentStoreError>
  /** Opens the store to be written to: asked of the primary alone. */
  readonly store: Effect.Effect<Store, DocumentStoreError, Scope.Scope>
}

/**
 * @since 0.1.0
 * @category models
 */
export interface Source {
  readonly name: string
  readonly connect: Effect.Effect<Connection, DocumentStoreError, Scope.Scope>
}

/**
 * @since 0.1.0
 * @category models
 */
export interface Status extends RegionCopy.State {
  readonly region: string
  readonly role: "primary" | "replica"
  readonly since: string
}

/**
 * @since 0.1.0
 * @category models
 */
export interface Monitor {
  readonly primary: RegionCopy.Copy
  readonly replicas: ReadonlyArray<RegionCopy.Copy>
  readonly tokens: RegionTokens.Tokens
  /** The primary's store, once it was opened. */
  readonly store: Effect.Effect<Store>
  /** Waits until the first copy serves. */
  readonly ready: Effect.Effect<void>
  /** Asks a copy where it stands, now; those who ask at once share the answer. */
  readonly look: (copy: RegionCopy.Copy) => Effect.Effect<RegionPlace.Place | undefined, DocumentStoreError>
  /** Asks the primary where it stands after it was written to; `undefined` when it cannot say. */
  readonly wrote: Effect.Effect<RegionPlace.Place | undefined>
  readonly status: Effect.Effect<ReadonlyArray<Status>>
}

interface Watched {
  readonly copy: RegionCopy.Copy
  readonly source: Source
  connection: Connection | undefined
  last: { readonly state: RegionCopy.State["state"]; readonly note: string | undefined; readonly since: string }
  isNew: boolean
  /** Whether it ever failed, and with what last. */
  hasFailed: boolean
  code: string | undefined
}

const reopening = (attempt: number): number => Math.min(5_000, 500 * 2 ** attempt)

/**
 * Nothing fails and nothing is waited for: a copy that cannot be opened is down.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (
  primary: Source,
  replicas: ReadonlyArray<Source>,
  settings: { readonly checkEvery: number; readonly maxBehind: number }
): Effect.Effect<Monitor, never, Scope.Scope> =>
  Effect.gen(function*() {
    const scope = yield* Effect.scope
    const ledger = RegionLedger.make()
    const tokens = RegionTokens.make()
    const looks = yield* Coalescer.make<RegionCopy.Copy, RegionPlace.Place | undefined, DocumentStoreError>()
    const opened = yield* Deferred.make<Store>()
    const ready = yield* Deferred.make<void>()
    const since = Moment.iso(yield* Clock.currentTimeMillis)

    const watch = (source: Source, role: RegionCopy.Copy["role"]): Watched => ({
      copy: RegionCopy.make(source.name, role, ledger, settings),
      source,
      connection: undefined,
      last: { state: "down", note: undefined, since },
      isNew: true,
      hasFailed: false,
      code: undefined
    })
    const first = watch(primary, "primary")
    const others = replicas.map((source) => watch(source, "replica"))
    const all = [first, ...others]

    /** In a scope of its own, so that a failed attempt leaves nothing behind. */
    const attempted = <A>(effect: Effect.Effect<A, DocumentStoreError, Scope.Scope>) =>
      Effect.flatMap(Scope.fork(scope, ExecutionStrategy.sequential), (attempt) =>
        Scope.extend(effect, attempt).pipe(Effect.onError((cause) =>
          Scope.close(attempt, Exit.failCause(cause))
        )))

    const announce = ({ code, copy }: Watched, { behindMillis, note, state }: RegionCopy.State, isNew: boolean) => {
      const name = `Region ${copy.name} of the document store`
      const because = note === undefined ? "" : `: ${note}`
      if (state === "serving") {
        return note === undefined
          ? isNew ? Effect.logDebug(`${name} serves`) : Effect.logInfo(`${name} serves again`)
          : Effect.logWarning(`${name} serves${because}`)
      }
      const written = copy.role === "primary" ? "; nothing can be written until it serves" : ""
      return Effect.logWarning(
        state === "down"
          ? `${name} is down${code === undefined || note !== undefined ? "" : ` (${code})`}${because}${written}`
          : `${name} is behind${
            behindMillis === undefined ? "" : ` by ${Math.round(behindMillis)} ms`
          }${because}${written}`
      )
    }

    const observe = (watched: Watched) =>
      Effect.gen(function*() {
        const state = watched.copy.state(yield* RegionPlace.now)
        if (state.state === "serving") yield* Deferred.succeed(ready, undefined)
        const { isNew, last } = watched
        if (!isNew && last.state === state.state && last.note === state.note) return state
        // it is being opened
        if (isNew && state.state === "down" && state.note === undefined && !watched.hasFailed) return state
        watched.isNew = false
        const moment = last.state === state.state ? last.since : Moment.iso(yield* Clock.currentTimeMillis)
        watched.last = { state: state.state, note: state.note, since: moment }
        yield* announce(watched, state, isNew)
        return state
      })

    const note = (copy: RegionCopy.Copy, place: RegionPlace.Place): void => {
      copy.told(place)
      if (!copy.isSource()) return
      if (!ledger.note(place)) tokens.cut(place.lsn)
      tokens.seen(place)
      for (const other of others) other.copy.compared()
    }

    /** Joins a look that is under way: where a copy stood a moment ago it still stands, or further on. */
    const look = (watched: Watched, connection: Connection) =>
      looks.run(
        watched.copy,
        Effect.tap(connection.place, (place) => {
          if (place !== undefined) note(watched.copy, place)
        })
      )

    const open = (watched: Watched, connection: Connection) => {
      const { copy } = watched
      // The primary's tables are made by who writes to them.
      if (copy.reader() !== undefined || copy.isSource()) return Effect.void
      return connection.reader.pipe(
        Effect.catchIf(({ reason }) => reason._tag === "Incompatible", ({ reason }) => Effect.succeed(reason.message)),
        Effect.map((reader) => copy.opened(reader))
      )
    }

    const probe = (watched: Watched) =>
      Effect.gen(function*() {
        const connection = watched.connection ??= yield* attempted(watched.source.connect)
        yield* look(watched, connection)
        yield* open(watched, connection)
      }).pipe(
        Effect.catchAll((error) =>
          Effect.map(RegionPlace.now, (now) => {
            watched.hasFailed = true
            watched.code = RegionOutage.codeOf(error)
            watched.copy.silent(now)
          })
        ),
        Effect.zipRight(observe(watched)),
        Effect.zipRight(Effect.flatMap(RegionPlace.now, (now) => Effect.sleep(watched.copy.pause(now))))
      )

    const write = Effect.gen(function*() {
      let told = ""
      for (let attempt = 0;; attempt++) {
        const { connection } = first
        if (connection !== undefined) {
          const store = yield* Effect.either(attempted(connection.store))
          if (store._tag === "Right") {
            first.copy.opened(store.right)
            yield* Deferred.succeed(opened, store.right)
            yield* observe(first)
            return
          }
          const { message } = store.left
          if (message !== told) {
            yield* Effect.logWarning(`Region ${primary.name} of the document store cannot be written to: ${message}`)
          }
          told = message
        }
        yield* Effect.sleep(connection === undefined ? 50 : reopening(attempt))
      }
    })

    // A defect ends a fiber that nobody awaits: without a word no log would say why.
    const started = <A>(effect: Effect.Effect<A>) =>
      Effect.forkScoped(
        Effect.tapDefect(effect, (defect) =>
          Effect.logError("A region of the document store is not looked after until the program restarts", defect))
      )

    for (const watched of all) yield* started(Effect.forever(probe(watched)))
    yield* started(write)

    return {
      primary: first.copy,
      replicas: others.map(({ copy }) => copy),
      tokens,
      store: Deferred.await(opened),
      ready: Deferred.await(ready),
      look: (copy) => {
        const watched = all.find((other) => other.copy === copy)
        return watched?.connection === undefined ? Effect.succeed(undefined) : look(watched, watched.connection)
      },
      wrote: Effect.suspend(() => first.connection?.place ?? Effect.succeed(undefined)).pipe(
        Effect.orElseSucceed(() => undefined),
        Effect.tap((place) => {
          if (place === undefined) return Effect.void
          note(first.copy, place)
          first.copy.proven()
          return observe(first)
        })
      ),
      status: Effect.forEach(all, (watched) =>
        Effect.map(observe(watched), (state) => ({
          region: watched.copy.name,
          role: watched.copy.role,
          ...state,
          since: watched.last.since
        })))
    }
  })
