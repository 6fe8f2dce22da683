/**
 * The documents of a store as resources: read whole under a URI of their own,
 * and announced when they change.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import { Changes } from "../change/Changes.js"
import type { Passage } from "../document/Document.js"
import type { DocumentStoreError } from "../document/DocumentStore.js"
import { DocumentStore } from "../document/DocumentStore.js"
import type { CacheHint } from "../protocol/McpSchema.js"
import * as McpResource from "./McpResource.js"
import type { ResourceError } from "./ResourceError.js"
import { notFound, unavailable } from "./ResourceError.js"
import * as UriTemplate from "./UriTemplate.js"

/**
 * @since 0.1.0
 * @category configuration
 */
export interface Options {
  /** `documents` unless given. */
  readonly name?: string | undefined
  readonly title?: string | undefined
  readonly description?: string | undefined
  /** All of these are needed to see and to read the documents; none unless given. */
  readonly scopes?: ReadonlyArray<string> | undefined
  readonly cache?: CacheHint | undefined
  /** How many documents are listed, the newest; 1 to 1,000, 100 unless given. */
  readonly listed?: number | undefined
}

/**
 * The URIs of documents: the tenant stands in them, so that those of two tenants
 * never meet.
 *
 * @since 0.1.0
 * @category constants
 */
export const uriTemplate = "document://{tenant}/{id}"

const parsed = Either.getOrThrow(UriTemplate.parse(uriTemplate))

/**
 * The URI of a document.
 *
 * @since 0.1.0
 * @category constructors
 */
export const uri = (tenant: string, id: string): string => UriTemplate.expand(parsed, { tenant, id })

/** What two passages share stands once; what stood between them was white space. */
const join = (passages: ReadonlyArray<Passage>): string => {
  let text = ""
  let end: number | undefined
  for (const { span, text: own } of passages) {
    const repeated = span === undefined || end === undefined ? 0 : Math.max(0, end - span.start)
    const isAdjacent = repeated > 0 || (span !== undefined && span.start === end)
    text += text === "" || isAdjacent ? own.slice(repeated) : `\n\n${own}`
    end = span?.end
  }
  return text
}

const cannotBeHad = (error: DocumentStoreError): ResourceError =>
  unavailable("The documents cannot be read now. Try again shortly.", error)

/**
 * Serves the documents of the caller's tenant as text; those of any other are not
 * found. White space between passages is not what it was. With the title,
 * address, date and facts of a document under `_meta` as
 * `dev.causeway/document`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: Options = {}): McpResource.Template<DocumentStore> =>
  McpResource.template(uriTemplate, {
    name: options.name ?? "documents",
    title: options.title ?? "Indexed documents",
    description: options.description ?? "A document of the search index, whole. Searches name the documents by id.",
    mimeType: "text/plain",
    ...(options.scopes === undefined ? {} : { scopes: options.scopes }),
    ...(options.cache === undefined ? {} : { cache: options.cache }),
    isVisible: ({ tenant }, caller) => tenant === caller.tenant,
    read: ({ id, tenant }) =>
      Effect.gen(function*() {
        const store = yield* DocumentStore
        const passages = yield* Effect.mapError(store.get(tenant, id), cannotBeHad)
        const [first] = passages
        if (first === undefined) return yield* notFound()
        return {
          text: join(passages),
          _meta: {
            "dev.causeway/document": {
              id,
              title: first.title,
              ...(first.uri === undefined ? {} : { uri: first.uri }),
              ...(first.publishedAt === undefined ? {} : { publishedAt: first.publishedAt }),
              ...(first.version === undefined ? {} : { version: first.version }),
              indexedAt: first.indexedAt,
              metadata: first.metadata
            }
          }
        }
      }),
    list: ({ tenant }) =>
      Effect.gen(function*() {
        const store = yield* DocumentStore
        const documents = yield* Effect.mapError(store.list(tenant, { limit: options.listed ?? 100 }), cannotBeHad)
        return documents.map(({ id, publishedAt, title }) => ({
          uri: uri(tenant, id),
          name: id,
          ...(title === "" ? {} : { title }),
          ...(publishedAt === undefined ? {} : { annotations: { lastModified: publishedAt } })
        }))
      })
  })

/** A second at first, half a minute at most, for ever: the store may come back at any time. */
const following = Schedule.union(Schedule.jittered(Schedule.exponential("1 second")), Schedule.spaced("30 seconds"))

/**
 * Tells who listens of every document that changes, in whichever process: as an
 * update of its resource and as a change of the list. Nothing is told of what
 * changed before it was built; after a failure of the store's changes, it tells of
 * a change of the list when it goes on. An instance needs it once, and either one of them with
 * changes told over Redis, or each of several with changes of its own.
 *
 * @since 0.1.0
 * @category layers
 */
export const announce: Layer.Layer<never, never, DocumentStore | Changes> = Layer.scopedDiscard(
  Effect.gen(function*() {
    const store = yield* DocumentStore
    const changes = yield* Changes
    let hasFailed = false
    yield* Effect.suspend(() =>
      // What changed between a failure and now nobody names any more.
      hasFailed ? changes.publish({ _tag: "ResourcesChanged" }) : Effect.void
    ).pipe(
      Effect.zipRight(
        store.changes().pipe(Stream.runForEach(({ documentId, tenant }) =>
          Effect.zipRight(
            changes.publish({ _tag: "ResourceUpdated", uri: uri(tenant, documentId) }),
            changes.publish({ _tag: "ResourcesChanged" })
          )
        ))
      ),
      Effect.tapError((error) => {
        hasFailed = true
        return Effect.logWarning("changes of documents are not announced for now", error)
      }),
      Effect.retry(following),
      Effect.forkScoped
    )
  })
)
