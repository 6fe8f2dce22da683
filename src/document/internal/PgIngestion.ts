/**
 * How a batch of documents comes into Postgres: judged, embedded, judged again
 * under lock and written.
 *
 * @since 0.1.0
 */
import * as SqlClient from "@effect/sql/SqlClient"
import { SqlError } from "@effect/sql/SqlError"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import type { Embedding } from "../../embedding/Embedder.js"
import * as Chunker from "../Chunker.js"
import type { Document } from "../Document.js"
import type { Outcome } from "../DocumentStore.js"
import * as DocumentStore from "../DocumentStore.js"
import type { PassageVectors, Unembedded } from "./PassageVectors.js"
import * as PgFailure from "./PgFailure.js"
import * as PgLock from "./PgLock.js"
import * as PgRead from "./PgRead.js"
import * as PgSearch from "./PgSearch.js"
import * as PgWrite from "./PgWrite.js"
import * as Preparation from "./Preparation.js"
import * as Versions from "./Versions.js"

/**
 * What a transaction did.
 *
 * @since 0.1.0
 * @category models
 */
export interface Done<A> {
  readonly result: A
  readonly tenant: number
  /** The tenant's revision, if anything changed. */
  readonly revision: number | undefined
  /** How many passages are new. */
  readonly written: number
}

/** Five attempts in half a second: who waited for another in a circle, or read what changed meanwhile, may be lucky now. */
const again = Schedule.jittered(Schedule.exponential("20 millis")).pipe(Schedule.intersect(Schedule.recurs(4)))

/**
 * A deadlock, a conflict of serialisation, or a row that came after the snapshot
 * was taken: Postgres undid the transaction, and it may simply be run again.
 */
const isConflict = (error: unknown): boolean => {
  const cause = error instanceof SqlError ? error.cause : undefined
  return typeof cause === "object" && cause !== null && "code" in cause &&
    (cause.code === "40P01" || cause.code === "40001" || cause.code === "23505")
}

/** A few times, unless inside the caller's transaction: what it saw and the locks it took stay as they are. */
const repeatedly = <A, E>(
  effect: (isInside: boolean) => Effect.Effect<A, E, SqlClient.SqlClient>
): Effect.Effect<A, E, SqlClient.SqlClient> =>
  Effect.flatMap(Effect.serviceOption(SqlClient.TransactionConnection), (caller) => {
    const isInside = Option.isSome(caller)
    return Effect.retry(effect(isInside), { schedule: again, while: (error) => !isInside && isConflict(error) })
  })

/**
 * Runs a transaction, a few times when it collides with another's. Inside the
 * caller's own it is run once, since locks taken before it stay and the same
 * would happen again: the caller's is what must be run again. Otherwise it
 * reads what is committed whatever the server's default is, and who gives up
 * does not wait for a statement that is being cancelled; so it must not begin
 * another inside.
 *
 * @since 0.1.0
 * @category combinators
 */
export const transact = <A, E>(
  effect: Effect.Effect<A, E, SqlClient.SqlClient>
): Effect.Effect<A, E | SqlError, SqlClient.SqlClient> =>
  repeatedly((isInside) =>
    Effect.flatMap(SqlClient.SqlClient, (sql) =>
      sql.withTransaction(
        isInside
          ? effect
          : Effect.disconnect(Effect.zipRight(sql`set transaction isolation level read committed`, effect))
      )).pipe(
        // The driver makes a defect of a COMMIT that fails.
        Effect.catchSomeDefect((defect) =>
          defect instanceof SqlError ? Option.some(Effect.fail(defect)) : Option.none()
        )
      )
  )

/**
 * What a store on Postgres embeds with, and how it keeps vectors.
 *
 * @since 0.1.0
 * @category models
 */
export interface Embedded {
  readonly embedder: Embedding
  readonly vectors: PassageVectors
  readonly hasVector: boolean
}

/**
 * The store's error for documents without vectors.
 *
 * @since 0.1.0
 * @category constructors
 */
export const unembedded = ({ _tag, ...why }: Unembedded): DocumentStore.DocumentStoreError =>
  new DocumentStore.DocumentStoreError({ method: "index", reason: new DocumentStore.Unembedded(why) })

/** What is known before the lock, and what is done about it. */
interface Prepared {
  readonly document: Document
  /** By the embedder that the hash is for. */
  readonly hash: (embedderId: string) => string
  /** Absent when the content was stored already: then the version alone may be new. */
  readonly passages: PgWrite.Entry["passages"] | undefined
}

const judge = ({ document, hash }: Pick<Prepared, "document" | "hash">, stored: PgWrite.Stored | undefined) =>
  Versions.judge(document, stored, stored !== undefined && stored.hash === hash(stored.hashedFor))

/** The outcome that needs no write, if there is one. */
const settled = (
  id: string,
  verdict: Versions.Verdict,
  stored: PgWrite.Stored | undefined
): Outcome | undefined => {
  const passages = stored?.passages ?? 0
  switch (verdict._tag) {
    case "Write":
      return undefined
    case "Keep":
      return verdict.version === stored?.version ? { id, status: "unchanged", passages } : undefined
    case "Outdated":
      return { id, status: "outdated", passages }
    case "Refuse":
      return { id, status: "refused", reason: verdict.reason }
  }
}

const cut = (document: Document, digest: (embedderId: string) => string) => {
  const digests = new Map<string, string>()
  const hash = (embedderId: string): string => {
    const known = digests.get(embedderId) ?? digest(embedderId)
    digests.set(embedderId, known)
    return known
  }
  return { document, hash }
}

/**
 * Indexes documents of different ids in one transaction. Vectors are made before
 * it begins, since a remote model may take seconds; what has become of the
 * documents meanwhile is looked at again under lock.
 *
 * @since 0.1.0
 * @category combinators
 */
export const index = (
  tenant: string,
  documents: ReadonlyArray<Document>,
  options: Embedded,
  isSecond = false
): Effect.Effect<Done<ReadonlyMap<string, Outcome>>, DocumentStore.DocumentStoreError, SqlClient.SqlClient> =>
  Effect.gen(function*() {
    const { embedder } = options
    const agree = Effect.flatMap(PgRead.embedders, (found) => PgSearch.agree("index", embedder.id, found))
    const before = yield* agree.pipe(
      Effect.zipRight(repeatedly(() => PgWrite.tenantOf(tenant))),
      Effect.bindTo("number"),
      Effect.bind("stored", ({ number }) => PgWrite.stored(number, documents.map(({ id }) => id))),
      PgFailure.within("index", "30 seconds")
    )
    const { number } = before
    const outcomes = new Map<string, Outcome>()
    const chunked = []
    for (const document of documents) {
      const entry = cut(document, (embedderId) => Chunker.fingerprint(document, embedderId))
      const stored = before.stored.get(document.id)
      const verdict = judge(entry, stored)
      const outcome = settled(document.id, verdict, stored)
      if (outcome !== undefined) outcomes.set(document.id, outcome)
      else {
        // The second time nothing is left to chance: someone else may replace it again.
        const needsPassages = verdict._tag === "Write" || isSecond
        chunked.push({ ...entry, chunks: needsPassages ? Chunker.chunk(document) : undefined })
        yield* Preparation.giveWay
      }
    }
    if (chunked.length === 0) return { result: outcomes, tenant: number, revision: undefined, written: 0 }
    const embedded = yield* Effect.mapError(
      options.vectors.of(chunked.map(({ chunks = [], document: { id, title } }) => ({
        id,
        texts: chunks.map(({ text }) => Chunker.embedded(title, text))
      }))),
      unembedded
    )
    const prepared: Array<Prepared> = []
    for (const [n, { chunks, ...entry }] of chunked.entries()) {
      const own = embedded[n] ?? Either.right([])
      if (Either.isRight(own)) {
        const passages = chunks?.map((chunk, at) => ({ ...chunk, vector: own.right[at] ?? new Float32Array() }))
        prepared.push({ ...entry, passages })
      } else {
        const { id } = entry.document
        outcomes.set(id, { id, status: "refused", reason: own.left })
      }
    }
    if (prepared.length === 0) return { result: outcomes, tenant: number, revision: undefined, written: 0 }
    const done = yield* PgFailure.within("index", "1 minute")(transact(write(number, prepared, options, agree)))
    for (const [id, outcome] of done.outcomes) outcomes.set(id, outcome)
    const first = { tenant: number, revision: done.revision, written: done.written }
    if (done.missing.length === 0) return { ...first, result: outcomes }
    const second = yield* index(tenant, done.missing, options, true)
    for (const [id, outcome] of second.result) outcomes.set(id, outcome)
    return {
      result: outcomes,
      tenant: number,
      revision: second.revision ?? first.revision,
      written: first.written + second.written
    }
  })

const write = (
  tenant: number,
  prepared: ReadonlyArray<Prepared>,
  { embedder, hasVector }: Embedded,
  agree: Effect.Effect<void, DocumentStore.DocumentStoreError | SqlError, SqlClient.SqlClient>
) =>
  Effect.gen(function*() {
    const ids = prepared.map(({ document }) => document.id)
    yield* PgLock.documents(tenant, ids, embedder.id)
    const { first } = yield* PgRead.embedders
    if (first === null) yield* PgLock.emptyStore
    yield* agree
    const stored = yield* PgWrite.stored(tenant, ids)
    const now = yield* Clock.currentTimeMillis
    const outcomes = new Map<string, Outcome>()
    const entries: Array<PgWrite.Entry> = []
    const restamped: Array<{ readonly id: string; readonly version: number | undefined }> = []
    /** Documents that were stored with this content, and are no longer. */
    const missing: Array<Document> = []
    let written = 0
    for (const entry of prepared) {
      const { document: { id }, document, passages } = entry
      const verdict = judge(entry, stored.get(id))
      const outcome = settled(id, verdict, stored.get(id))
      if (outcome !== undefined) outcomes.set(id, outcome)
      else if (verdict._tag === "Keep") {
        restamped.push({ id, version: verdict.version })
        outcomes.set(id, { id, status: "unchanged", passages: stored.get(id)?.passages ?? 0 })
      } else if (passages === undefined) missing.push(document)
      else {
        entries.push({ document, passages, contentHash: entry.hash(embedder.id) })
        outcomes.set(id, { id, status: "indexed", passages: passages.length })
        written += passages.length
      }
    }
    yield* PgWrite.restamp(tenant, restamped)
    const erased = yield* PgWrite.erase(
      tenant,
      entries.map(({ document }) => document.id).filter((id) => stored.has(id))
    )
    const inserted = yield* PgWrite.insert(tenant, entries, {
      embedderId: embedder.id,
      dimensions: embedder.dimensions,
      hasVector,
      now
    })
    const changes = entries.map(({ document: { id, version } }) => ({ id, version, isRemoval: false }))
    const revision = yield* PgWrite.tally(tenant, [erased, inserted], changes, now)
    return { outcomes, missing, revision, written }
  })

/**
 * Removes documents in one transaction, and counts those that were there.
 *
 * @since 0.1.0
 * @category combinators
 */
export const remove = (
  tenant: string,
  ids: ReadonlyArray<string>
): Effect.Effect<Done<number>, DocumentStore.DocumentStoreError, SqlClient.SqlClient> =>
  Effect.gen(function*() {
    const number = yield* PgWrite.findTenant(tenant)
    if (number === undefined) return { result: 0, tenant: 0, revision: undefined, written: 0 }
    yield* PgLock.documents(number, ids)
    const found = yield* PgWrite.stored(number, ids)
    // In the order in which they were given, as every store numbers them.
    const stored = ids.filter((id) => found.has(id))
    const erased = yield* PgWrite.erase(number, stored)
    const now = yield* Clock.currentTimeMillis
    const changes = stored.map((id) => ({ id, isRemoval: true }))
    const revision = yield* PgWrite.tally(number, [erased], changes, now)
    return { result: stored.length, tenant: number, revision, written: 0 }
  }).pipe(transact, PgFailure.within("remove", "1 minute"))
