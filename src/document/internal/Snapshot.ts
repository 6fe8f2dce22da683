/**
 * What the store in memory holds as frames of a file, and back.
 *
 * The first frame names the embedder. A tenant's frame is followed by its
 * changes and its documents, each with its vectors and its words behind it, for
 * cutting words again takes long; a long document is
 * spread over several frames, so that no step of writing or reading is long.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Os from "node:os"
import type { Embedding } from "../../embedding/Embedder.js"
import * as Tokenizer from "../Tokenizer.js"
import type { Words } from "./InvertedIndex.js"
import type { Change } from "./MemoryChanges.js"
import type { Entry } from "./MemoryIndex.js"
import type { Capture, MemoryStore, Tenant } from "./MemoryStore.js"
import * as Preparation from "./Preparation.js"
import type { Frame, Problem } from "./SnapshotFile.js"
import * as SnapshotFile from "./SnapshotFile.js"
import * as SnapshotPart from "./SnapshotPart.js"
import * as WordNumbers from "./WordNumbers.js"

/** A frame is full at so many passages or characters: a few milliseconds of work. */
const mostPassages = 128
const mostCharacters = 262_144
const mostChanges = 2_000

const isSwapped = Os.endianness() === "BE"

const bytesOf = (numbers: ReadonlyArray<Float32Array | Uint32Array>): Buffer => {
  const bytes = Buffer.concat(numbers.map((one) => new Uint8Array(one.buffer, one.byteOffset, one.byteLength)))
  return isSwapped ? bytes.swap32() : bytes
}

/** The vectors' numbers that stand first, and the words' behind them. */
const numbersOf = (bytes: Uint8Array, count: number): readonly [vectors: Float32Array, words: Uint32Array] => {
  // a copy: numbers must stand at a multiple of four, and the frame is let go of
  const copy = new Uint8Array(bytes.length)
  copy.set(bytes)
  if (isSwapped) Buffer.from(copy.buffer).swap32()
  return [new Float32Array(copy.buffer, 0, count), new Uint32Array(copy.buffer, 4 * count)]
}

const none = new Uint8Array(0)

/** The words of a passage that is not stored any more. */
const cut = (title: string, text: string, numbers: WordNumbers.WordNumbers): Uint32Array =>
  Uint32Array.from(Preparation.words(title, text).map((word) => WordNumbers.pack(numbers.of(word), 1)))

/** How long what is known of a document is, its passages left out. */
const lengthOf = ({ metadata, title, uri = "" }: Omit<Entry, "passages">): number => {
  let length = title.length + uri.length
  for (const [key, value] of Object.entries(metadata)) {
    length += key.length + (typeof value === "string" ? value.length : 8)
  }
  return length
}

function* documentParts(
  { documents, tenant }: Tenant,
  capture: Capture,
  dimensions: number,
  dictionary: WordNumbers.WordNumbers
): Generator<Frame, void> {
  let pieces: Array<SnapshotPart.Piece> = []
  let vectors: Array<Float32Array> = []
  let words: Array<Uint32Array> = []
  let characters = 0
  let named = dictionary.names.length
  const frame = (): Frame => {
    const json: SnapshotPart.Documents = {
      _tag: "Documents",
      pieces,
      terms: dictionary.names.slice(named),
      lengths: words.map(({ length }) => length)
    }
    named = dictionary.names.length
    const made = { json, bytes: bytesOf([...vectors, ...words]) }
    pieces = []
    vectors = []
    words = []
    characters = 0
    return made
  }
  for (const { entry, version } of documents) {
    const numbers = capture.vectors(tenant, entry)
    const said = capture.words(tenant, entry, dictionary)
    const { passages: all, ...about } = entry
    for (let at = 0; at < all.length || at === 0;) {
      const some = all.slice(at, at + mostPassages - words.length)
      const head = { ...about, version, count: all.length }
      pieces.push({ ...(at === 0 ? { about: head } : {}), passages: some })
      vectors.push(numbers.subarray(at * dimensions, (at + some.length) * dimensions))
      for (const [n, { text }] of some.entries()) words.push(said?.[at + n] ?? cut(entry.title, text, dictionary))
      characters += some.reduce((sum, { text }) => sum + text.length, at === 0 ? lengthOf(about) : 0)
      at += Math.max(1, some.length)
      if (words.length >= mostPassages || characters >= mostCharacters) yield frame()
    }
  }
  if (pieces.length > 0) yield frame()
}

function* parts(capture: Capture, { dimensions, id }: Embedding): Generator<Frame, void> {
  const dictionary = WordNumbers.make()
  const bare = (json: SnapshotPart.Part): Frame => ({ json, bytes: none })
  yield bare({ _tag: "Head", embedder: id, dimensions, words: Tokenizer.id })
  for (const own of capture.tenants) {
    const { changes, revision, tenant } = own
    yield bare({ _tag: "Tenant", tenant, revision })
    for (let at = 0; at < changes.length; at += mostChanges) {
      const some = changes.slice(at, at + mostChanges).map(({ tenant: _, ...change }) => change)
      yield bare({ _tag: "Changes", changes: some })
    }
    yield* documentParts(own, capture, dimensions, dictionary)
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

const damaged = Effect.suspend(() => Effect.fail(SnapshotFile.damaged()))

/** A tenant whose changes and documents come next. */
interface Own {
  readonly tenant: string
  readonly revision: number
  readonly changes: Array<Change>
}

/** A document of which some passages are still to come. */
interface Open {
  readonly about: SnapshotPart.About
  readonly passages: Array<Entry["passages"][number]>
  readonly vectors: Array<Float32Array>
  readonly words: Array<WordNumbers.Numbered>
}

/** The numbers of the latest changes, without a gap and up to the last. */
const areInOrder = ({ changes, revision }: Own): boolean =>
  changes.every((change, n) => change.revision === revision - changes.length + n + 1)

/**
 * Puts everything that the frames hold into an empty store; others get a turn
 * every few milliseconds. Words are cut again where the file has none, or some of
 * another rule.
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
    let head: SnapshotPart.Head | undefined
    let own: Own | undefined
    let open: Open | undefined
    const dictionary = WordNumbers.make()

    const settle = Effect.suspend(() => {
      if (own === undefined) return Effect.void
      if (open !== undefined || !areInOrder(own)) return damaged
      memory.restore(own.tenant, own.revision, own.changes)
      return Effect.void
    })

    const putBack = Effect.fnUntraced(function*(tenant: string, { about, ...all }: Open) {
      const { count: _, version, ...entry } = about
      const words: Array<Words> = []
      for (const [n, { text }] of all.passages.entries()) {
        const said = head?.words === Tokenizer.id ? all.words[n] : undefined
        words.push(said ?? Preparation.words(entry.title, text))
        yield* taking(text.length)
      }
      const prepared = {
        entry: { ...entry, uri: entry.uri, publishedAt: entry.publishedAt, passages: all.passages },
        version,
        words,
        vectors: all.vectors
      }
      if (!memory.putBack(tenant, prepared)) return yield* failed("holds more vectors than there is memory for")
    })

    const documents = Effect.fnUntraced(function*(tenant: string, part: SnapshotPart.Documents, bytes: Uint8Array) {
      const { lengths, pieces } = part
      for (const term of part.terms ?? []) dictionary.names.push(term)
      const count = pieces.reduce((sum, { passages }) => sum + passages.length, 0)
      const spoken = lengths?.reduce((sum, length) => sum + length, 0) ?? 0
      if (bytes.length !== 4 * (count * dimensions + spoken)) return yield* damaged
      if (lengths !== undefined && lengths.length !== count) return yield* damaged
      const [vectors, words] = numbersOf(bytes, count * dimensions)
      const { length: known } = dictionary.names
      if (words.some((word) => WordNumbers.numberOf(word) >= known || WordNumbers.countOf(word) === 0)) {
        return yield* damaged
      }
      let passage = 0
      let word = 0
      for (const { about, passages } of pieces) {
        if ((about === undefined) === (open === undefined)) return yield* damaged
        if (about !== undefined) open = { about, passages: [], vectors: [], words: [] }
        if (open === undefined) continue
        for (const one of passages) {
          open.passages.push(one)
          open.vectors.push(vectors.subarray(passage * dimensions, (passage + 1) * dimensions))
          const length = lengths?.[passage]
          passage++
          if (length === undefined) continue
          open.words.push({ numbers: dictionary, words: words.subarray(word, word += length) })
        }
        if (open.passages.length > open.about.count) return yield* damaged
        if (open.passages.length < open.about.count) continue
        yield* putBack(tenant, open)
        open = undefined
      }
    })

    for (let frame = yield* next; frame !== undefined; frame = yield* next) {
      const part = frame.json
      if (!SnapshotPart.isPart(part) || (head === undefined) !== (part._tag === "Head")) return yield* damaged
      switch (part._tag) {
        case "Head": {
          if (part.embedder !== embedder.id || part.dimensions !== dimensions) {
            return yield* failed(
              `holds vectors of the embedder ${part.embedder}, and this program uses ${embedder.id}: ` +
                "use that one again, or another file into which the documents are indexed anew"
            )
          }
          head = part
          break
        }
        case "Tenant": {
          yield* settle
          own = { tenant: part.tenant, revision: part.revision, changes: [] }
          break
        }
        case "Changes": {
          if (own === undefined) return yield* damaged
          for (const change of part.changes) own.changes.push({ tenant: own.tenant, ...change })
          break
        }
        case "Documents": {
          if (own === undefined) return yield* damaged
          yield* documents(own.tenant, part, frame.bytes)
        }
      }
    }
    yield* settle
    if (head === undefined) return yield* damaged
  })
