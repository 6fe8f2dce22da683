/**
 * Reads questions with the documents that answer them: JSONL, or a folder in the
 * form of the BEIR collections.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"
import { readFile, stat } from "node:fs/promises"
import { join } from "node:path"

/**
 * @since 0.1.0
 * @category models
 */
export interface Question {
  readonly text: string
  /** The ids of the documents that answer it; empty when none does. */
  readonly relevant: ReadonlySet<string>
}

/**
 * Why there are no questions: the file, the line and the reason.
 *
 * @since 0.1.0
 * @category errors
 */
export class QuestionsError extends Schema.TaggedError<QuestionsError>("causeway/examples/QuestionsError")(
  "QuestionsError",
  { description: Schema.String }
) {
  override get message() {
    return this.description
  }
}

const fail = (description: string) => Effect.fail(new QuestionsError({ description }))

const Id = Schema.Union(Schema.String, Schema.Number).pipe(Schema.transform(Schema.String, {
  strict: true,
  decode: String,
  encode: (text) => text
}))

const Line = Schema.Struct({
  question: Schema.String.pipe(Schema.filter((text) => text.trim() !== "" || "is blank")),
  relevant: Schema.Array(Id).annotations({ message: () => ({ message: "is no list of document ids", override: true }) })
})

const Query = Schema.Struct({
  _id: Id,
  text: Schema.String,
  split: Schema.optionalWith(Schema.String, { exact: true })
})

const Judgement = Schema.Struct({
  "query-id": Id,
  "corpus-id": Id,
  score: Schema.Union(Schema.Number, Schema.NumberFromString)
})

const read = (path: string) =>
  Effect.tryPromise({
    try: () => readFile(path, "utf8"),
    catch: () => new QuestionsError({ description: `${path} cannot be read` })
  })

/** The first of what is wrong, with the field it is wrong with. */
const explain = (error: ParseResult.ParseError): string => {
  const [first] = ParseResult.ArrayFormatter.formatErrorSync(error)
  return first === undefined || first.path.length === 0
    ? "this is no JSON object of the form that is read"
    : `${first.path.join(".")} ${first.message}`
}

/** The lines of a file, each by a schema; blank ones are passed over. */
const lines = <A, I>(path: string, schema: Schema.Schema<A, I>): Effect.Effect<ReadonlyArray<A>, QuestionsError> =>
  Effect.gen(function*() {
    const decode = Schema.decodeUnknownEither(Schema.parseJson(schema))
    const found: Array<A> = []
    for (const [n, line] of (yield* read(path)).split("\n").entries()) {
      if (line.trim() === "") continue
      const decoded = decode(line)
      if (Either.isLeft(decoded)) return yield* fail(`${path}, line ${n + 1}: ${explain(decoded.left)}`)
      found.push(decoded.right)
    }
    return found
  })

const fromFolder = (folder: string, split: string | undefined) =>
  Effect.gen(function*() {
    const queries = yield* lines(join(folder, "queries.jsonl"), Query)
    const relevant = new Map<string, Set<string>>()
    for (const judged of yield* lines(join(folder, "qrels.jsonl"), Judgement)) {
      const documents = relevant.get(judged["query-id"]) ?? new Set<string>()
      if (judged.score > 0) documents.add(judged["corpus-id"])
      relevant.set(judged["query-id"], documents)
    }
    return queries
      .filter((query) => split === undefined || query.split === split)
      // A query that nobody judged says nothing.
      .flatMap(({ _id, text }): ReadonlyArray<Question> => {
        const documents = relevant.get(_id)
        return documents === undefined ? [] : [{ text, relevant: documents }]
      })
  })

/**
 * The questions of a JSONL file, a line each: `{ "question", "relevant": [id, …] }`;
 * or of a folder with `queries.jsonl` and `qrels.jsonl`, of one `split` when the
 * queries name theirs. Fails at the first line that is neither.
 *
 * @since 0.1.0
 * @category constructors
 */
export const load = (
  path: string,
  split?: string
): Effect.Effect<ReadonlyArray<Question>, QuestionsError> =>
  Effect.tryPromise({
    try: () => stat(path),
    catch: () => new QuestionsError({ description: `${path} does not exist or cannot be read` })
  }).pipe(Effect.flatMap((found) =>
    found.isDirectory()
      ? fromFolder(path, split)
      : Effect.map(
        lines(path, Line),
        (all) => all.map(({ question, relevant }) => ({ text: question, relevant: new Set(relevant) }))
      )
  ))
