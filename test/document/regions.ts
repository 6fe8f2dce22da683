/**
 * Regions without servers: a primary with a log of writes, and replicas that have
 * replayed as much of it as a test says.
 *
 * @since 0.1.0
 */
import { DocumentStore, DocumentStoreError, Invalid, Unavailable } from "causeway-mcp/document/DocumentStore"
import type * as RegionMonitor from "causeway-mcp/document/internal/RegionMonitor"
import * as RegionPlace from "causeway-mcp/document/internal/RegionPlace"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"

type Method = DocumentStoreError["method"]

/** The driver's error inside the client's, as Postgres gives it. */
export const unavailable = (method: Method, code?: string) =>
  new DocumentStoreError({ method, reason: new Unavailable({ cause: { cause: { code: code ?? "ECONNREFUSED" } } }) })

export const refused = (method: Method) =>
  new DocumentStoreError({ method, reason: new Invalid({ description: "the limit is no number" }) })

/** One server. What a test changes is what its next answer is. */
export interface Server {
  readonly source: RegionMonitor.Source
  /** How many writes it holds. */
  writes: number
  timeline: number
  isRecovering: boolean
  isUp: boolean
  /** How a question fails. */
  failure: ((method: Method) => DocumentStoreError) | undefined
  /** Fails where it stands, and nothing else. */
  isDumb: boolean
  /** How long it takes for a question. */
  latency: Duration.DurationInput
  /** How often it was asked for passages, and where it stands. */
  questions: number
  looks: number
}

/** A write is 8 bytes of log. */
export const lsnOf = (writes: number): bigint => 0x1000n + BigInt(writes) * 8n

export const server = (name: string, role: "primary" | "replica"): Server => {
  const ask = <A>(method: Method, answer: () => A) =>
    Effect.suspend(() => {
      self.questions++
      const { failure, isUp, latency } = self
      return Effect.delay(
        Effect.suspend(() =>
          !isUp ? unavailable(method) : failure === undefined ? Effect.sync(answer) : failure(method)
        ),
        isUp ? latency : 0
      )
    })

  const store = DocumentStore.of({
    index: (_, documents) =>
      ask("index", () => {
        self.writes += documents.length
        return documents.map(({ id }) => ({ id, status: "indexed" as const, passages: 1 }))
      }),
    remove: () => ask("remove", () => 0),
    search: () =>
      ask("search", () => [{
        passage: {
          documentId: name,
          position: 0,
          title: "",
          text: `${self.writes} writes`,
          indexedAt: "2026-11-22T09:00:00.000Z",
          metadata: {}
        },
        score: 1,
        signals: { bm25: 1, bm25Share: 1, cosine: 0 }
      }]),
    get: () => ask("get", () => []),
    list: () => ask("list", () => []),
    size: () => ask("size", () => ({ documents: self.writes, passages: self.writes, revision: self.writes })),
    changes: () =>
      Stream.make({
        tenant: "tenant",
        revision: 1,
        documentId: name,
        kind: "indexed" as const,
        changedAt: "2026-11-22T09:00:00.000Z"
      }),
    ping: ask("ping", () => undefined)
  })

  const isUp = Effect.suspend(() => self.isUp ? Effect.void : Effect.fail(unavailable("open")))

  const self: Server = {
    writes: 0,
    timeline: 1,
    isRecovering: role === "replica",
    isUp: true,
    isDumb: false,
    failure: undefined,
    latency: 0,
    questions: 0,
    looks: 0,
    source: {
      name,
      connect: Effect.as(isUp, {
        place: Effect.gen(function*() {
          self.looks++
          if (!self.isUp || self.isDumb) return yield* unavailable("ping")
          const now = yield* RegionPlace.now
          const { isRecovering, timeline, writes } = self
          return { lsn: lsnOf(writes), timeline, isRecovering, askedAt: now, toldAt: now }
        }),
        reader: Effect.as(isUp, store),
        store: Effect.suspend(() => self.isUp && !self.isRecovering ? Effect.succeed(store) : unavailable("open"))
      })
    }
  }
  return self
}
