/**
 * Reads a folder and writes its documents in batches, so that a run can be
 * stopped, repeated and continued.
 *
 * @since 0.1.0
 */
import type * as FileSystem from "@effect/platform/FileSystem"
import type * as Path from "@effect/platform/Path"
import type { Document } from "causeway-mcp/document/Document"
import type { Outcome } from "causeway-mcp/document/DocumentStore"
import { DocumentStore } from "causeway-mcp/document/DocumentStore"
import * as Ingestion from "causeway-mcp/document/Ingestion"
import * as Backoff from "causeway-mcp/policy/Backoff"
import * as Effect from "effect/Effect"
import * as Ref from "effect/Ref"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as Progress from "./progress.js"
import * as Reader from "./reader.js"

/**
 * Something that was not indexed.
 *
 * @since 0.1.0
 * @category models
 */
export interface Refusal {
  /** The path, and the line in a JSONL file. */
  readonly where: string
  readonly reason: string
}

/**
 * What a run did. `refusals` names the first 10,000 of the `refused`.
 *
 * @since 0.1.0
 * @category models
 */
export interface Summary {
  readonly indexed: number
  readonly unchanged: number
  /** A later version of them is stored. */
  readonly outdated: number
  readonly passages: number
  readonly refused: number
  readonly refusals: ReadonlyArray<Refusal>
  readonly otherFiles: number
  readonly links: number
  /** True when the run was asked to stop before the end. */
  readonly isStopped: boolean
}

/**
 * The store stopped taking documents. What `summary` counts is safe: the same
 * run again continues from there.
 *
 * @since 0.1.0
 * @category errors
 */
export class IngestError extends Schema.TaggedError<IngestError>("causeway/examples/IngestError")("IngestError", {
  description: Schema.String,
  indexed: Schema.Number,
  unchanged: Schema.Number,
  refused: Schema.Number,
  cause: Schema.Defect
}) {
  override get message() {
    return `${this.description} (so far ${this.indexed} indexed, ${this.unchanged} unchanged, ${this.refused} refused)`
  }
}

/**
 * Takes a batch and says what became of each document, in their order.
 *
 * @since 0.1.0
 * @category models
 */
export type Write<E, R> = (documents: ReadonlyArray<Document>) => Effect.Effect<ReadonlyArray<Outcome>, E, R>

/**
 * @since 0.1.0
 * @category configuration
 */
export interface Options {
  readonly progress?: Progress.Progress | undefined
  /** When it completes, the batch in flight is finished and no other begun. */
  readonly stop?: Effect.Effect<void> | undefined
}

/** A batch is written when it has this much to read; the last of its documents may be as large again. */
const batchBytes = 4 * 1024 * 1024
const namedRefusals = 10_000

const nothing: Summary = {
  indexed: 0,
  unchanged: 0,
  outdated: 0,
  passages: 0,
  refused: 0,
  refusals: [],
  otherFiles: 0,
  links: 0,
  isStopped: false
}

/**
 * A second document of the same id would replace the first at every run, so it
 * is refused. Keeps the ids of the run in memory, and nothing else of it.
 */
const refuseRepeats = () => {
  const seen = new Set<string>()
  return (item: Reader.Item): Reader.Item => {
    if (item._tag === "Refused") return item
    const { id } = item.document
    if (seen.has(id)) {
      return { _tag: "Refused", where: item.where, bytes: item.bytes, reason: `its id "${id}" was read before` }
    }
    seen.add(id)
    return item
  }
}

const add = (summary: Summary, refusals: ReadonlyArray<Refusal>, outcomes: ReadonlyArray<Outcome>): Summary => {
  const written = outcomes.filter((outcome) => outcome.status !== "refused")
  return {
    ...summary,
    indexed: summary.indexed + written.filter((outcome) => outcome.status === "indexed").length,
    unchanged: summary.unchanged + written.filter((outcome) => outcome.status === "unchanged").length,
    outdated: summary.outdated + written.filter((outcome) => outcome.status === "outdated").length,
    passages: summary.passages + written.reduce((sum, outcome) => sum + outcome.passages, 0),
    refused: summary.refused + refusals.length,
    refusals: [...summary.refusals, ...refusals].slice(0, namedRefusals)
  }
}

/**
 * Reads `root` and hands its documents to `write`, 50 at a time, while it reads
 * the next ones.
 *
 * @since 0.1.0
 * @category constructors
 */
export const ingestWith = <E extends Error, R>(
  write: Write<E, R>,
  root: string,
  options: Options = {}
): Effect.Effect<Summary, IngestError, R | FileSystem.FileSystem | Path.Path> =>
  Effect.gen(function*() {
    const progress = options.progress ?? Progress.silent
    const survey = yield* Reader.survey(root)
    const summary = yield* Ref.make<Summary>({ ...nothing, otherFiles: survey.otherFiles, links: survey.links })
    const isStopped = yield* Ref.make(false)
    let bytes = 0

    const process = (items: ReadonlyArray<Reader.Item>) =>
      Effect.gen(function*() {
        const read = items.filter((item) => item._tag === "Read")
        const outcomes = read.length === 0 ? [] : yield* write(read.map((item) => item.document))
        const refusals: ReadonlyArray<Refusal> = [
          ...items.filter((item) => item._tag === "Refused"),
          ...outcomes.flatMap((outcome, i) =>
            outcome.status === "refused" ? [{ where: read[i]?.where ?? outcome.id, reason: outcome.reason }] : []
          )
        ].map(({ reason, where }) => ({ where, reason }))
        const now = yield* Ref.updateAndGet(summary, (all) => add(all, refusals, outcomes))
        bytes += items.reduce((sum, item) => sum + item.bytes, 0)
        yield* progress.update({
          documents: now.indexed + now.unchanged + now.outdated + now.refused,
          bytes,
          totalBytes: survey.bytes
        })
        return items
      })

    const stop = Effect.zipRight(options.stop ?? Effect.never, Ref.set(isStopped, true))

    yield* Reader.read(root).pipe(
      Stream.map(refuseRepeats()),
      Ingestion.inBatches({
        batchLength: batchBytes,
        lengthOf: ({ bytes }) => bytes,
        // Interrupted or not, a batch that was begun is finished and counted.
        write: (items) => Effect.uninterruptible(process(items))
      }),
      Stream.haltWhen(stop),
      Stream.runDrain,
      Effect.ensuring(progress.finish),
      Effect.catchAll((cause) =>
        Effect.flatMap(Ref.get(summary), ({ indexed, refused, unchanged }) =>
          new IngestError({ description: cause.message, indexed, unchanged, refused, cause }))
      )
    )
    return { ...(yield* Ref.get(summary)), isStopped: yield* Ref.get(isStopped) }
  })

/**
 * Indexes everything under `root` for one tenant into the `DocumentStore`. What
 * is there already stays `unchanged`, so the same call again continues a run
 * that was stopped. Fails only when the store does.
 *
 * @since 0.1.0
 * @category constructors
 */
export const ingest = (
  root: string,
  options: Options & { readonly tenant: string }
): Effect.Effect<Summary, IngestError, DocumentStore | FileSystem.FileSystem | Path.Path> =>
  Effect.flatMap(DocumentStore, (store) =>
    ingestWith(
      (documents) => Effect.retry(store.index(options.tenant, documents), Backoff.patient),
      root,
      options
    ))
