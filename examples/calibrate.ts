/**
 * Fits confidences on questions whose answers are known:
 * `npm run calibrate -- QRELS [--corpus NAME] [--tenant T] [--out FILE]`.
 */
import * as Calibration from "causeway-mcp/document/Calibration"
import * as DocumentStore from "causeway-mcp/document/DocumentStore"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import { writeFile } from "node:fs/promises"
import * as Arguments from "./arguments.js"
import { print } from "./arguments.js"
import * as Questions from "./calibrate/questions.js"
import * as Run from "./calibrate/run.js"
import { Documents } from "./documents.js"
import { explain } from "./settings.js"

const usage = `Fits the confidence of a search on questions whose answers are known.

  npm run calibrate -- QRELS [--corpus NAME] [--tenant NAME] [--out FILE] [--words] [--split NAME]

  QRELS     a .jsonl file, a line each: { "question": "…", "relevant": ["document-id", …] };
            or a folder with queries.jsonl and qrels.jsonl
  --corpus  names the documents; CORPUS, else "documents"
  --tenant  whose documents they are; "default" unless given
  --out     where the model is written; calibration.json unless given
  --words   for searches by words alone, as they are while the embedder fails
  --split   of a folder whose queries name one, for example train

DATABASE_URL or DATA_DIR say where the documents are. Twenty questions are the fewest, 200 are better.
`

interface Given {
  readonly path: string
  readonly corpus: string
  readonly tenant: string
  readonly out: string
  readonly isLexical: boolean
  readonly split: string | undefined
}

const given = Arguments.read(
  usage,
  {
    corpus: { type: "string" },
    tenant: { type: "string" },
    out: { type: "string" },
    words: { type: "boolean" },
    split: { type: "string" }
  },
  ({ corpus, out = "calibration.json", split, tenant = "default", words = false }, [path, ...rest]): Given | string =>
    path === undefined || rest.length > 0
      ? "Give exactly one QRELS."
      // An empty variable is an absent one.
      : { path, corpus: corpus || process.env["CORPUS"] || "documents", tenant, out, isLexical: words, split }
)

/** A server may still be starting. */
const patiently = Schedule.intersect(Schedule.spaced("1 second"), Schedule.recurs(10))

const save = (model: Calibration.Model, path: string) =>
  Effect.tryPromise({
    try: () => writeFile(path, `${JSON.stringify(Schema.encodeSync(Calibration.Model)(model), null, 2)}\n`),
    catch: () => new Run.CalibrationRefused({ description: `${path} cannot be written` })
  })

const describe = ({ hits, model, relevant }: Run.Fitted, { corpus, out }: Given): string =>
  `${model.questions} questions, ${hits} hits, ${relevant} of them relevant (${
    (100 * relevant / hits).toFixed(1)
  } %)\n` +
  "On questions that a model was not fitted on, in five rounds:\n" +
  `  expected calibration error  ${model.ece.toFixed(4)}  (0 is best; below 0.03 is good)\n` +
  `  area under the curve        ${model.auc.toFixed(4)}  (0.5 is chance, 1 is best)\n` +
  `Written to ${out}. Start the server with CALIBRATION=${out} and CORPUS=${corpus}.\n`

const calibrate = (given: Given) =>
  Effect.gen(function*() {
    const questions = yield* Questions.load(given.path, given.split)
    yield* print("Opening the document store.\n")
    const fitted = yield* Effect.gen(function*() {
      const store = yield* DocumentStore.DocumentStore
      yield* Effect.retry(store.ping, { schedule: patiently, while: (error) => error.isRetryable })
      return yield* Run.fit(questions, {
        ...given,
        onQuestion: (asked) =>
          asked % 100 === 0 ? print(`${asked} of ${questions.length} questions asked\n`) : Effect.void
      })
    }).pipe(Effect.provide(Documents))
    yield* save(fitted.model, given.out)
    return fitted
  }).pipe(Effect.provide(Logger.remove(Logger.defaultLogger)))

await Arguments.run(given, (given) =>
  Effect.matchEffect(calibrate(given), {
    onFailure: (error) => Effect.as(print(`${explain(error)}\n`), 1),
    onSuccess: (fitted) =>
      Effect.sync(() => {
        process.stdout.write(describe(fitted, given))
        return 0
      })
  }))
