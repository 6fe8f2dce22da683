/**
 * Sends documents to a running server through its `index_document` tool, for
 * when that server holds the store.
 *
 * @since 0.1.0
 */
import { Client } from "@modelcontextprotocol/sdk/client/index.js"
import { StreamableHTTPClientTransport, StreamableHTTPError } from "@modelcontextprotocol/sdk/client/streamableHttp.js"
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js"
import { ErrorCode, McpError } from "@modelcontextprotocol/sdk/types.js"
import type { Document } from "causeway-mcp/document/Document"
import type { Outcome } from "causeway-mcp/document/DocumentStore"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type { Write } from "./run.js"

const toolName = "index_document"
const connectMillis = 10_000
const callMillis = 60_000
const atOnce = 8

/**
 * The server could not be reached, or has no tool to index with.
 *
 * @since 0.1.0
 * @category errors
 */
export class RemoteError extends Schema.TaggedError<RemoteError>("causeway/examples/RemoteError")("RemoteError", {
  url: Schema.String,
  description: Schema.String,
  cause: Schema.optionalWith(Schema.Defect, { exact: true })
}) {
  override get message() {
    return `${this.url}: ${this.description}`
  }
}

/** The tool's answer about one document; a server that says less than this is believed to have indexed it. */
const Receipt = Schema.Struct({
  data: Schema.Struct({
    outcome: Schema.Literal("indexed", "unchanged", "outdated"),
    passages: Schema.Number
  })
})

const Failure = Schema.parseJson(Schema.Struct({
  message: Schema.String,
  retryable: Schema.optionalWith(Schema.Boolean, { default: () => false }),
  retryAfterMs: Schema.optionalWith(Schema.Number, { default: () => 0 })
}))

const Block = Schema.Struct({ type: Schema.Literal("text"), text: Schema.String })

const Result = Schema.Struct({
  isError: Schema.optionalWith(Schema.Boolean, { default: () => false }),
  content: Schema.Array(Schema.Unknown),
  structuredContent: Schema.optionalWith(Schema.Unknown, { exact: true })
})

const decodeReceipt = Schema.decodeUnknownOption(Receipt)
const decodeFailure = Schema.decodeUnknownOption(Failure)
const decodeResult = Schema.decodeUnknownEither(Result)
const isBlock = Schema.is(Block)

/** A failure the server calls passing; kept inside this file. */
class Passing extends Schema.TaggedError<Passing>("causeway/examples/Passing")("Passing", {
  reason: Schema.String,
  afterMillis: Schema.Number
}) {}

/** Six tries; the server's own wish goes before ours. A lost connection is not tried again. */
const insistent = Schedule.identity<Passing | RemoteError>().pipe(
  Schedule.intersect(Schedule.exponential("250 millis")),
  Schedule.modifyDelay(([error], delay) =>
    error._tag === "Passing" ? Duration.max(delay, Duration.millis(error.afterMillis)) : delay
  ),
  Schedule.intersect(Schedule.recurs(5)),
  Schedule.whileInput((error) => error._tag === "Passing")
)

const judge = (id: string, result: unknown): Effect.Effect<Outcome, Passing> => {
  const decoded = decodeResult(result)
  if (Either.isLeft(decoded)) {
    return Effect.succeed({ id, status: "refused", reason: "the server's answer is unreadable" })
  }
  const { content, isError, structuredContent } = decoded.right
  if (!isError) {
    return Effect.succeed(Option.match(decodeReceipt(structuredContent), {
      onNone: () => ({ id, status: "indexed", passages: 0 }),
      onSome: ({ data }) => ({ id, status: data.outcome, passages: data.passages })
    }))
  }
  const texts = content.filter(isBlock).map((block) => block.text)
  const failure = Option.getOrElse(Option.firstSomeOf(texts.slice(1).map((text) => decodeFailure(text))), () => ({
    message: texts[0] ?? "the tool failed and did not say why",
    retryable: false,
    retryAfterMs: 0
  }))
  return failure.retryable
    ? Effect.fail(new Passing({ reason: failure.message, afterMillis: failure.retryAfterMs }))
    : Effect.succeed({ id, status: "refused", reason: failure.message })
}

/** The SDK puts the error's number before the server's sentence, sometimes twice. */
const withoutCode = (message: string): string => message.replace(/^(MCP error -?\d+: )+/, "")

/** Why one document was refused. A wrong question or a long one concerns one; a server that is gone concerns all. */
const refusalOf = (error: unknown): string | undefined => {
  if (error instanceof StreamableHTTPError) {
    return error.code === 413 ? "it is longer than the server takes in one request; see MAX_BODY_BYTES" : undefined
  }
  const isRefusal = error instanceof McpError && error.code !== ErrorCode.ConnectionClosed &&
    error.code !== ErrorCode.RequestTimeout
  return isRefusal ? withoutCode(error.message) : undefined
}

/** What an older server's tool does not know is left out; it would refuse the whole. */
const toArguments = (document: Document, takes: (field: string) => boolean): Record<string, unknown> => {
  const { id, metadata, publishedAt, text, title, uri, version } = document
  return {
    id,
    text,
    ...(title === undefined ? {} : { title }),
    ...(publishedAt === undefined ? {} : { publishedAt }),
    ...(metadata === undefined ? {} : { metadata }),
    ...(uri === undefined || !takes("uri") ? {} : { uri }),
    ...(version === undefined || !takes("version") ? {} : { version })
  }
}

/**
 * Gives a way to write over a transport: one call per document, 8 at a time. A
 * tool failure is a refusal with the tool's message, after six tries when the
 * tool calls it passing; a lost connection fails the batch. `url` is for messages.
 *
 * @since 0.1.0
 * @category constructors
 */
export const over = (
  transport: Transport,
  url: string
): Effect.Effect<Write<RemoteError, never>, RemoteError, Scope.Scope> =>
  Effect.gen(function*() {
    const unreachable = (cause: unknown) =>
      new RemoteError({ url, description: "no MCP server answered there; is it running?", cause })
    const client = yield* Effect.acquireRelease(
      Effect.sync(() => new Client({ name: "causeway-ingest", version: "0.1.0" })),
      (client) => Effect.promise(() => client.close().catch(() => undefined))
    )
    yield* Effect.tryPromise({ try: () => client.connect(transport, { timeout: connectMillis }), catch: unreachable })
    const { tools } = yield* Effect.tryPromise({
      try: () => client.listTools({}, { timeout: connectMillis }),
      catch: unreachable
    })
    const tool = tools.find((tool) => tool.name === toolName)
    if (tool === undefined) {
      return yield* new RemoteError({
        url,
        description: `the server offers no tool "${toolName}"; it may need a token with the scope documents:write`
      })
    }
    const takes = (field: string) => Object.hasOwn(tool.inputSchema.properties ?? {}, field)

    const send = (document: Document): Effect.Effect<Outcome, RemoteError> =>
      Effect.tryPromise({
        try: () =>
          client.callTool({ name: toolName, arguments: toArguments(document, takes) }, undefined, {
            timeout: callMillis
          }),
        catch: (cause) => cause
      }).pipe(
        Effect.catchAll((cause) => {
          const reason = refusalOf(cause)
          return reason === undefined
            ? Effect.fail(new RemoteError({ url, description: "the server stopped answering", cause }))
            : Effect.succeed({ isError: true, content: [{ type: "text", text: reason }] })
        }),
        Effect.flatMap((result) => judge(document.id, result)),
        Effect.retry(insistent),
        Effect.catchTag("Passing", ({ reason }) =>
          Effect.succeed<Outcome>({ id: document.id, status: "refused", reason }))
      )

    return (documents) =>
      Effect.forEach(documents, send, { concurrency: atOnce })
  })

/**
 * Connects to a server over HTTP. Sends `token`, when given, as a bearer token.
 *
 * @since 0.1.0
 * @category constructors
 */
export const connect = (
  url: string,
  token?: string
): Effect.Effect<Write<RemoteError, never>, RemoteError, Scope.Scope> =>
  Effect.try({
    try: () =>
      new StreamableHTTPClientTransport(
        new URL(url),
        token === undefined ? {} : { requestInit: { headers: { authorization: `Bearer ${token}` } } }
      ),
    catch: (cause) => new RemoteError({ url, description: "this is not a URL", cause })
  }).pipe(
    // The SDK's own transport declares `sessionId` in a way that `exactOptionalPropertyTypes` does not take.
    Effect.flatMap((transport) => over(transport as Transport, url))
  )
