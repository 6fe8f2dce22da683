/**
 * Reads the documents that are to be summarised, of one tenant.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import type { DocumentStoreError, Filter } from "../../document/DocumentStore.js"
import { DocumentStore } from "../../document/DocumentStore.js"
import * as Moment from "../../document/Moment.js"
import * as ToolError from "../../tool/ToolError.js"
import * as Failure from "./Failure.js"
import type { Document } from "./SummaryModel.js"
import * as SummaryText from "./SummaryText.js"
import type { Failed } from "./SummaryVerdict.js"

/**
 * A document as it was read, with where it stands.
 *
 * @since 0.1.0
 * @category models
 */
export interface Source extends Document {
  readonly uri: string | undefined
}

/** A store that takes longer does not answer, in milliseconds. */
const patience = 5000

const inTime = <A>(
  self: Effect.Effect<A, DocumentStoreError>,
  millis: number
): Effect.Effect<A, ToolError.ToolError> =>
  self.pipe(
    Effect.mapError((cause) => Failure.documentStore(cause)),
    // A store may be busy with what cannot be interrupted; nobody waits for that.
    Effect.disconnect,
    Effect.timeoutFail({ duration: millis, onTimeout: () => Failure.documentStore(undefined) })
  )

/**
 * The ids of the documents that pass a filter, the newest first.
 *
 * @since 0.1.0
 * @category combinators
 */
export const list = (
  tenant: string,
  filter: Filter | undefined,
  limit: number
): Effect.Effect<ReadonlyArray<string>, ToolError.ToolError, DocumentStore> =>
  Effect.flatMap(
    DocumentStore,
    (store) =>
      Effect.map(inTime(store.list(tenant, { filter, limit }), patience), (listed) => listed.map(({ id }) => id))
  )

const late = () =>
  new ToolError.ToolError({
    code: "timed_out",
    message:
      "The time of the call was over before this document was reached. Call again with the documents that are left."
  })

const unknown = () =>
  new ToolError.ToolError({
    code: "not_found",
    message: "There is no document of this id. Search for it, and give the id as the search returns it."
  })

const empty = () =>
  new ToolError.ToolError({
    code: "invalid_input",
    message: "The document holds no text, so there is nothing to summarise."
  })

const document = (
  tenant: string,
  id: string,
  millis: number
): Effect.Effect<Source, ToolError.ToolError, DocumentStore> =>
  Effect.gen(function*() {
    if (millis <= 0) return yield* late()
    const store = yield* DocumentStore
    const passages = yield* inTime(store.get(tenant, id), Math.min(patience, millis))
    const [first] = passages
    if (first === undefined) return yield* unknown()
    const text = SummaryText.joined(passages)
    if (text === "") return yield* empty()
    return { id, text, title: first.title, uri: first.uri, publishedAt: Moment.normal(first.publishedAt) }
  })

/**
 * A whole document of a tenant, or why there is none: another tenant's is
 * unknown, in the same words as one that never was.
 *
 * @since 0.1.0
 * @category combinators
 */
export const read = (tenant: string, id: string, until: () => number): Effect.Effect<Source, Failed, DocumentStore> =>
  Effect.flatMap(
    Clock.currentTimeMillis,
    (now) => Effect.mapError(document(tenant, id, until() - now), (error): Failed => ({ id, error }))
  )

const clip = (text: string): string =>
  text.length > 80 ? `${text.slice(0, 79).replace(/[\ud800-\udbff]$/u, "")}…` : text

/**
 * What the client is told when one more document is done.
 *
 * @since 0.1.0
 * @category combinators
 */
export const told = (
  result: Either.Either<{ readonly source: Source }, Failed>,
  done: number,
  total: number
): string =>
  Either.match(result, {
    onLeft: ({ id }) => `Could not summarise "${clip(id)}" (${done} of ${total})`,
    onRight: ({ source }) =>
      `Summarised "${clip(source.title === "" ? source.id : source.title)}" (${done} of ${total})`
  })
