/**
 * Embeds what is stored with the embedder that is set now: `npm run reindex`.
 * Stopped and run again it goes on where it was; several at once share the work.
 */
import * as PgReindex from "causeway-mcp/document/PgReindex"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import * as Stream from "effect/Stream"
import * as Arguments from "./arguments.js"
import { print } from "./arguments.js"
import { Database, Embedding } from "./documents.js"
import { interrupted } from "./interruption.js"
import { explain } from "./settings.js"

const usage = `Replaces the vectors of another embedder by those of the one that is set now.

  npm run reindex [-- --batch N]

  --batch  documents per transaction, 1 to 200; 20 unless given

DATABASE_URL or DATA_DIR say where the documents are, EMBEDDINGS_URL and what belongs to it which
embedder to use. Searches are refused until it is over; documents, versions and dates stay.
`

const given = Arguments.read(usage, { batch: { type: "string" } }, (values, others): PgReindex.Options | string => {
  if (others.length > 0) return "Give no more than --batch."
  if (values.batch === undefined) return {}
  const batch = Number(values.batch)
  return Number.isInteger(batch) && batch >= 1 && batch <= 200 ? { batch } : "--batch is no number from 1 to 200."
})

const words = ({ done, left }: PgReindex.Progress): string => {
  const share = done + left === 0 ? 100 : Math.floor(100 * done / (done + left))
  return `${share} %: ${done.toLocaleString("en")} documents done, ${left.toLocaleString("en")} left\n`
}

const reindex = (options: PgReindex.Options) =>
  Effect.gen(function*() {
    yield* print("Opening the database.\n")
    let last: PgReindex.Progress | undefined
    let shownAt = 0
    yield* PgReindex.run(options).pipe(
      Stream.interruptWhen(interrupted("Stopping")),
      Stream.runForEach((progress) =>
        Effect.flatMap(Clock.currentTimeMillis, (now) => {
          last = progress
          if (now - shownAt < 1_000 && progress.left > 0) return Effect.void
          shownAt = now
          return print(words(progress))
        })
      )
    )
    const isOver = last?.left === 0
    yield* print(isOver ? "Done.\n" : "Stopped before the end; run it again to continue.\n")
    return isOver ? 0 : 130
  }).pipe(Effect.provide(Database), Effect.provide(Embedding), Effect.provide(Logger.remove(Logger.defaultLogger)))

await Arguments.run(
  given,
  (options) => Effect.catchAll(reindex(options), (error) => Effect.as(print(`${explain(error)}\n`), 1))
)
