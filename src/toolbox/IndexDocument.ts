/**
 * A ready-made tool that puts a document into the index, from where searches
 * find it at once.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Document from "../document/Document.js"
import { DocumentStore } from "../document/DocumentStore.js"
import * as Moment from "../document/Moment.js"
import * as Evidence from "../tool/Evidence.js"
import * as Tool from "../tool/Tool.js"
import * as ToolCall from "../tool/ToolCall.js"
import * as ToolError from "../tool/ToolError.js"
import * as Failure from "./internal/Failure.js"
import * as Fields from "./internal/Fields.js"

/**
 * @since 0.1.0
 * @category configuration
 */
export interface Options {
  /** `index_document` unless given. */
  readonly name?: string | undefined
  readonly title?: string | undefined
  readonly description?: string | undefined
  /** All of these are needed to see and to call the tool; `documents:write` unless given. */
  readonly scopes?: ReadonlyArray<string> | undefined
}

const Metadata = Schema.Record({
  key: Schema.String.pipe(Schema.pattern(/^\p{L}[\p{L}\p{N}_.-]{0,63}$/u)),
  value: Schema.Union(
    Fields.storable({ minLength: 0, maxLength: 1000, description: "A text", examples: ["Acme Corp"] }),
    Schema.JsonNumber,
    Schema.Boolean
  )
}).pipe(
  Schema.filter((metadata) => Object.keys(metadata).length <= 64, { message: () => "has more than 64 entries" }),
  Schema.annotations({
    jsonSchema: {
      type: "object",
      description:
        "Facts to filter by. A name starts with a letter and has letters, digits, _, . and - (64 at most); " +
        "searches know company, period and type",
      examples: [{ company: "Acme Corp", period: "2026-Q3", type: "earnings-call" }],
      maxProperties: 64,
      propertyNames: { pattern: "^\\p{L}[\\p{L}\\p{N}_.-]{0,63}$" },
      additionalProperties: { anyOf: [{ type: "string", maxLength: 1000 }, { type: "number" }, { type: "boolean" }] }
    }
  })
)

/**
 * What the tool takes.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Parameters = Schema.Struct({
  id: Fields.words({
    maxLength: 500,
    description: "The document's id, of your choosing; indexing the same id again replaces the document",
    examples: ["acme-2026-q3-call"]
  }),
  text: Fields.words({
    maxLength: 1_000_000,
    description: "The document's text, plain or Markdown",
    examples: ["Acme Corp reported revenue of $4.2 billion for the third quarter, up 12% on the year."]
  }),
  title: Fields.optional(Fields.words({
    maxLength: 500,
    description: "The title that searches show",
    examples: ["Acme Corp, earnings call, third quarter 2026"]
  })),
  uri: Fields.optional(Fields.words({
    maxLength: 2000,
    description: "Where the document can be read",
    examples: ["https://example.com/acme/2026-q3"]
  })),
  publishedAt: Fields.optional(Fields.moment("When the document was published")),
  version: Fields.optional(Fields.count({
    description: "Which of the document's states this is: raise it with every change, and what arrives late does no " +
      "harm. One lower than is stored changes nothing, the same one with other content is refused. Left out, the " +
      "last to arrive wins",
    min: 0,
    max: Number.MAX_SAFE_INTEGER,
    example: 3
  })),
  metadata: Fields.optional(Metadata)
})

/**
 * What the tool answers.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Data = Schema.Struct({
  id: Schema.String,
  outcome: Schema.Literal("indexed", "unchanged", "outdated").annotations({
    description: "`unchanged`: the same content was indexed before; `outdated`: a later version is stored and was kept"
  }),
  passages: Schema.NonNegativeInt.annotations({ description: "How many passages of the document are stored now" })
})

/**
 * @since 0.1.0
 * @category models
 */
export interface Data extends Schema.Schema.Type<typeof Data> {}

/**
 * Makes the tool. Its confidence is 1: the store says itself what it did; that a
 * later version is stored is an answer, no failure. Fails
 * as `invalid_input` when the store refuses the document, with the store's
 * reason, and as `temporarily_unavailable` when the store does not answer.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (
  options: Options = {}
): Tool.ToolHandler<
  Tool.Tool<string, typeof Parameters.Type, Evidence.Evidence<Data>, never, "idempotent">,
  ToolError.ToolError,
  DocumentStore | ToolCall.ToolCall
> =>
  Tool.make(options.name ?? "index_document", {
    title: options.title ?? "Index a document",
    description: options.description ??
      "Puts a document into the search index, or replaces the one with the same id. It can be found as soon as this " +
        "returns. Safe to repeat. With a version, a late call does not replace what is newer. Returns whether it was " +
        "indexed, unchanged or outdated, and the number of passages stored.",
    safety: "idempotent",
    scopes: options.scopes ?? ["documents:write"],
    parameters: Parameters,
    success: Data
  }).implement((input) =>
    Effect.gen(function*() {
      const { tenant } = yield* ToolCall.caller
      const store = yield* DocumentStore
      const publishedAt = Moment.normal(input.publishedAt)
      const document: Document.Document = { ...input, publishedAt }
      const outcomes = yield* store.index(tenant, [document]).pipe(
        Effect.mapError((cause) => Failure.documentStore(cause))
      )
      const outcome = outcomes[0]
      if (outcome === undefined) return yield* Effect.dieMessage("the document store gave no outcome for a document")
      if (outcome.status === "refused") {
        return yield* new ToolError.ToolError({
          code: "invalid_input",
          message: `The document ${input.id} was refused: ${outcome.reason}. Correct it and call again.`,
          source: "document-store"
        })
      }
      const described = {
        ...(input.title === undefined ? {} : { title: input.title }),
        ...(input.uri === undefined ? {} : { uri: input.uri }),
        ...(publishedAt === undefined ? {} : { publishedAt })
      }
      const source = yield* Evidence.source({
        id: input.id,
        kind: "document-store",
        // of an outdated one, what is stored says something else
        ...(outcome.status === "outdated" ? {} : described)
      })
      return Evidence.make({
        data: { id: input.id, outcome: outcome.status, passages: outcome.passages },
        confidence: 1,
        sources: [source]
      })
    })
  ).pipe(Tool.requires(["document-store"]), Tool.uses(["embedder"]))
