/**
 * What the store in memory holds as frames of a file, and back.
 *
 * The first frame names the embedder. A tenant's frame is followed by its
 * changes and its documents, each with its vectors behind it; a long document is
 * spread over several frames, so that no step of writing or reading is long.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Os from "node:os"
import type { Embedding } from "../../embedding/Embedder.js"
import type { Change } from "./MemoryChanges.js"
import type { Entry, Held } from "./MemoryIndex.js"
import type { Capture, MemoryStore, Tenant } from "./MemoryStore.js"
import * as Preparation from "./Preparation.js"
import type { Frame, Problem } from "./SnapshotFile.js"

interface Head {
  readonly _tag: "Head"
  readonly embedder: string
  readonly dimensions: number
}

interface TenantPart {
  readonly _tag: "Tenant"
  readonly tenant: string
  readonly revision: number
}

interface ChangesPart {
  readonly _tag: "Changes"
  readonly changes: ReadonlyArray<Omit<Change, "tenant">>
}

/** Some of a document's passages, with everything else about it in the first piece. */
interface Piece {
  readonly about?: Omit<Entry, "passages"> & { readonly version?: number | undefined; readonly count: number }
  readonly passages: Entry["passages"]
}

interface DocumentsPart {
  readonly _tag: "Documents"
  readonly pieces: ReadonlyArray<Piece>
}

type Part = Head | TenantPart | ChangesPart | DocumentsPart

/** A frame is full at so many passages or characters: a few milliseconds of work. */
const mostPassages = 256
const mostCharacters = 262_144
const mostChanges = 2_000

const isSwapped = Os.endianness() === "BE"

const bytesOf = (numbers: ReadonlyArray<Float32Array>): Buffer => {
  const bytes = Buffer.concat(numbers.map((one) => new Uint8Array(one.buffer, one.byteOffset, one.byteLength)))
  return isSwapped ? bytes.swap32() : bytes
}

const numbersOf = (bytes: Uint8Array): Float32Array => {
  // a copy: numbers must stand at a multiple of four, and the frame is let go of
  const copy = Buffer.alloc(bytes.length)
  copy.set(bytes)
  if (isSwapped) copy.swap32()
  return new Float32Array(copy.buffer, copy.byteOffset, copy.length / 4)
}

const none = new Uint8Array(0)

function* documentParts(
  { documents, tenant }: Tenant,
  capture: Capture,
  dimensions: number
): Generator<Frame, void> {
  let pieces: Array<Piece> = []
  let vectors: Array<Float32Array> = []
  let passages = 0
  let characters = 0
  const frame = (): Frame => {
    const made: Frame = { json: { _tag: "Documents", pieces } satisfies DocumentsPart, bytes: bytesOf(vectors) }
    pieces = []
    vectors = []
    passages = 0
    characters = 0
    return made
  }
  for (const { entry, version } of documents) {
    const numbers = capture.vectors(tenant, entry)
    const { passages: all, ...about } = entry
    for (let at = 0; at < all.length || at === 0;) {
      const some = all.slice(at, at + mostPassages - passages)
      const head = { ...about, version, count: all.length }
      pieces.push({ ...(at === 0 ? { about: head } : {}), passages: some })
      vectors.push(numbers.subarray(at * dimensions, (at + some.length) * dimensions))
      passages += some.length
      characters += some.reduce((sum, { text }) => sum + text.length, 0)
      at += Math.max(1, some.length)
      if (passages >= mostPassages || characters >= mostCharacters) yield frame()
    }
  }
  if (pieces.length > 0) yield frame()
}

function* parts(capture: Capture, { dimensions, id }: Embedding): Generator<Frame, void> {
  yield { json: { _tag: "Head", embedder: id, dimensions } satisfies Head, bytes: none }
  for (const own of capture.tenants) {
    const { changes, revision, tenant } = own
    yield { json: { _tag: "Tenant", tenant, revision } satisfies TenantPart, bytes: none }
    for (let at = 0; at < changes.length; at += mostChanges) {
      const some = changes.slice(at, at + mostChanges).map(({ tenant: _, ...change }) => change)
      yield { json: { _tag: "Changes", changes: some } satisfies ChangesPart, bytes: none }
    }
    yield* documentParts(own, capture, dimensions)
  }
}

/**
 * The frames of a capture, one after the other.
 *
 * @since 0.1.0
 * @category combinators
 */
export const frames = (capture: Capture, embedder: Embedding): () => Frame | undefined => {
  const all = parts(capture, embedder)
  return () => all.next().value ?? undefined
}

const failed = (description: string): Effect.Effect<never, Problem> => Effect.fail({ _tag: "Problem", description })

/**
 * Puts everything that the frames hold into an empty store; others get a turn
 * every few milliseconds.
 *
 * @since 0.1.0
 * @category combinators
 */
export const restore = (
  memory: MemoryStore,
  embedder: Embedding,
  next: Effect.Effect<Frame | undefined, Problem>
): Effect.Effect<void, Problem> =>
  Effect.gen(function*() {
    const { dimensions } = embedder
    const taking = Preparation.makeTurns()
    let own: { readonly tenant: string; readonly revision: number } = { tenant: "", revision: 0 }
    let changes: Array<Change> = []
    let open: { readonly held: Omit<Held, "entry"> & { entry: Entry }; readonly count: number } | undefined
    let vectors: Array<Float32Array> = []

    for (let frame = yield* next; frame !== undefined; frame = yield* next) {
      // Seam: the file's digests vouch for this having been written by `frames`.
      const part = frame.json as Part
      switch (part._tag) {
        case "Head": {
          if (part.embedder === embedder.id && part.dimensions === dimensions) break
          return yield* failed(
            `holds vectors of the embedder ${part.embedder}, and this program uses ${embedder.id}: ` +
              "use that one again, or another file into which the documents are indexed anew"
          )
        }
        case "Tenant": {
          own = part
          changes = []
          memory.restore(own.tenant, own.revision, changes)
          break
        }
        case "Changes": {
          for (const change of part.changes) changes.push({ tenant: own.tenant, ...change })
          memory.restore(own.tenant, own.revision, changes)
          break
        }
        case "Documents": {
          const numbers = numbersOf(frame.bytes)
          let at = 0
          for (const { about, passages } of part.pieces) {
            if (about !== undefined) {
              const { count, version, ...entry } = about
              open = { held: { entry: { ...entry, uri: entry.uri, passages: [] }, version }, count }
              vectors = []
            }
            if (open === undefined) continue
            const { held } = open
            held.entry = { ...held.entry, passages: [...held.entry.passages, ...passages] }
            for (let n = 0; n < passages.length; n++) vectors.push(numbers.subarray(at, at += dimensions))
            if (held.entry.passages.length < open.count) continue
            const words = []
            for (const { text } of held.entry.passages) {
              words.push(Preparation.words(held.entry.title, text))
              yield* taking(text.length)
            }
            if (!memory.putBack(own.tenant, { ...held, words, vectors })) {
              return yield* failed("holds more vectors than there is memory for")
            }
            open = undefined
          }
        }
      }
    }
  })
