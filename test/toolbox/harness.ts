/**
 * Calls ready-made tools as a server does, through the registry, and holds every
 * answer against the tool's own output schema.
 */
import { assert } from "@effect/vitest"
import { Ajv2020 } from "ajv/dist/2020.js"
import * as Asking from "causeway-mcp/ask/Asking"
import * as Principal from "causeway-mcp/auth/Principal"
import * as DocumentStore from "causeway-mcp/document/DocumentStore"
import * as Retriever from "causeway-mcp/document/Retriever"
import * as Snippet from "causeway-mcp/document/Snippet"
import * as Embedder from "causeway-mcp/embedding/Embedder"
import type { Progress } from "causeway-mcp/protocol/McpSchema"
import * as SessionStore from "causeway-mcp/session/SessionStore"
import type * as Evidence from "causeway-mcp/tool/Evidence"
import * as ToolCodec from "causeway-mcp/tool/ToolCodec"
import type { Body } from "causeway-mcp/tool/ToolError"
import * as ToolRegistry from "causeway-mcp/toolkit/ToolRegistry"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"

export interface Answered<A> {
  readonly data: A
  readonly confidence: number
  readonly calibration: Evidence.Calibration
  readonly sources: ReadonlyArray<Evidence.Source>
  readonly degraded?: Evidence.Degraded
}

export interface Outcome<A> {
  readonly answered: Answered<A> | undefined
  readonly failed: Body | undefined
  readonly progress: ReadonlyArray<Progress>
}

const ajv = new Ajv2020({ allErrors: true, strict: false })
const dateTime = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d+)?(?:Z|[+-]\d{2}:\d{2})$/u
ajv.addFormat("date-time", dateTime)

export const caller = Principal.make({ id: "agent", tenant: "acme", scopes: ["documents:write"] })

/** Calls the one tool of the registry that has this name. */
export const call = <A>(
  name: string,
  args: unknown,
  by: Principal.Principal = caller
): Effect.Effect<Outcome<A>, never, ToolRegistry.ToolRegistry> =>
  Effect.gen(function*() {
    const registry = yield* ToolRegistry.ToolRegistry
    const progress: Array<Progress> = []
    const result = yield* Effect.orDie(registry.call({
      name,
      arguments: args,
      caller: by,
      requestId: 1,
      reportProgress: (update) => void progress.push(update),
      log: () => undefined,
      beginTask: Effect.succeed(false),
      meta: {},
      asking: { memo: Asking.nothing, responses: {}, clientCapabilities: {} }
    }))
    if (result._tag === "Paused") throw new Error("a ready-made tool asked the user")
    if (result.isError === true) {
      assert.isUndefined(result.structuredJson)
      return { answered: undefined, failed: result._meta?.[ToolCodec.errorMetaKey] as Body, progress }
    }
    const envelope = JSON.parse(result.structuredJson ?? "null")
    const schema = Option.getOrThrow(registry.find(name)).outputSchema ?? false
    const validate = ajv.compile(schema)
    assert.isTrue(validate(envelope), `${JSON.stringify(validate.errors)} in ${result.structuredJson?.slice(0, 2000)}`)
    return { answered: envelope, failed: undefined, progress }
  })

/** Calls, and expects an answer. */
export const answer = <A>(name: string, args: unknown, by?: Principal.Principal) =>
  Effect.map(call<A>(name, args, by), ({ answered, failed }) => {
    assert.isUndefined(failed, JSON.stringify(failed))
    if (answered === undefined) throw new Error("no answer")
    return answered
  })

/** Calls, and expects a failure. */
export const failure = (name: string, args: unknown, by?: Principal.Principal) =>
  Effect.map(call(name, args, by), ({ answered, failed }) => {
    assert.isUndefined(answered, JSON.stringify(answered))
    if (failed === undefined) throw new Error("no failure")
    return failed
  })

const documentsDown = new DocumentStore.DocumentStoreError({
  method: "search",
  reason: new DocumentStore.Unavailable({ cause: new Error("connect ECONNREFUSED 10.0.0.7:5432") })
})

/** A document store that refuses every connection. */
export const documentStoreDown = Layer.succeed(DocumentStore.DocumentStore, {
  index: () => documentsDown,
  remove: () => documentsDown,
  search: () => documentsDown,
  get: () => documentsDown,
  list: () => documentsDown,
  size: () => documentsDown,
  changes: () => Stream.fail(documentsDown),
  ping: documentsDown
})

const sessionsDown = new SessionStore.SessionStoreError({
  method: "history",
  reason: new SessionStore.Unavailable({ cause: new Error("NOAUTH Authentication required") })
})

/** A session store that refuses every connection. */
export const sessionStoreDown = Layer.succeed(SessionStore.SessionStore, {
  append: () => sessionsDown,
  history: () => sessionsDown,
  forget: () => sessionsDown,
  ping: sessionsDown
})

/** Document store and retriever, in memory. */
export const documents = Retriever.layer().pipe(
  Layer.provideMerge(DocumentStore.layerMemory),
  Layer.provideMerge(Embedder.layerHash)
)

/** A retriever over a document store that is down. */
export const documentsUnreachable = Retriever.layer().pipe(
  Layer.provideMerge(documentStoreDown),
  Layer.provideMerge(Embedder.layerHash)
)

/** A retriever that finds exactly these passages. */
export const finds = (
  passages: ReadonlyArray<
    & { readonly id: string; readonly text: string; readonly confidence: number }
    & {
      readonly title?: string
      readonly position?: number
      readonly uri?: string
      readonly publishedAt?: string
      readonly metadata?: { readonly [key: string]: string | number | boolean }
    }
  >,
  options: Partial<Omit<Retriever.Retrieval, "passages">> = {}
) =>
  Layer.succeed(Retriever.Retriever, {
    retrieve: ({ limit, now, query }) =>
      Effect.clockWith((clock) =>
        Effect.succeed({
          calibration: "uncalibrated" as const,
          lexicalOnly: false,
          ...options,
          passages: passages.slice(0, limit).map(({ id, text, title, confidence, metadata, position, ...rest }) => {
            const passage = {
              documentId: id,
              position: position ?? 0,
              title: title ?? "",
              text,
              indexedAt: "2026-11-22T00:00:00.000Z",
              metadata: metadata ?? {},
              ...rest
            }
            const { agedFrom, ageDays } = Retriever.ageOf(passage, now ?? clock.unsafeCurrentTimeMillis())
            return {
              passage,
              score: confidence,
              confidence,
              freshness: 1,
              ageDays,
              agedFrom,
              snippet: Snippet.make(query, text),
              signals: { bm25: 1, bm25Share: 0.5, cosine: 0.5 }
            }
          })
        })
      )
  })

/** Whether something from inside an error stands in what the agent reads. */
export const leaks = (body: Body): boolean => /ECONN|NOAUTH|10\.0\.0\.7|stack|at \//u.test(JSON.stringify(body))
