import { assert, describe, it } from "@effect/vitest"
import * as DocumentStore from "causeway-mcp/document/DocumentStore"
import * as SnapshotDocumentStore from "causeway-mcp/document/SnapshotDocumentStore"
import * as Tokenizer from "causeway-mcp/document/Tokenizer"
import * as Embedder from "causeway-mcp/embedding/Embedder"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { createHash } from "node:crypto"
import * as Fs from "node:fs"
import * as Path from "node:path"
import * as Directory from "./directory.js"

const file = Effect.map(Directory.temporary, (folder) => Path.join(folder, "index.snapshot"))

const dimensions = 2

const embedder = Layer.succeed(Embedder.Embedder, {
  id: "test-2",
  dimensions,
  embed: (texts) => Effect.succeed(texts.map((text) => new Float32Array([text.length % 3, 1])))
})

const layer = (path: string) => Layer.provide(SnapshotDocumentStore.layer({ path }), embedder)

const opened = <A, E>(path: string, use: (store: DocumentStore.DocumentStore["Type"]) => Effect.Effect<A, E>) =>
  Effect.provide(Effect.flatMap(DocumentStore.DocumentStore, use), layer(path))

/** What opening a file comes to: why it is refused, or `undefined`. A defect stays one. */
const refusal = (path: string) =>
  Effect.match(Effect.scoped(Layer.build(layer(path))), {
    onFailure: ({ message }) => message,
    onSuccess: () => undefined
  })

type Frame = readonly [content: unknown, bytes?: Uint8Array]

const number = (value: number): Buffer => {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value)
  return bytes
}

const digestOf = (...parts: ReadonlyArray<Uint8Array>): Buffer =>
  parts.reduce((hash, part) => hash.update(part), createHash("sha256")).digest()

const rawContent = ([content, bytes = Buffer.alloc(0)]: Frame): Buffer => {
  const text = Buffer.from(typeof content === "string" ? content : JSON.stringify(content))
  return Buffer.concat([number(text.length), text, bytes])
}

/** A file whose digests all are right, whatever it holds. */
const forged = (contents: ReadonlyArray<Buffer>, format = 2): Buffer => {
  const start = Buffer.concat([Buffer.from("CAUSEWAY"), number(format)])
  let digest = digestOf(start)
  const parts = [...contents, rawContent([""])].map((content) => {
    const length = number(content.length)
    digest = digestOf(digest, length, content)
    return Buffer.concat([length, content, digest])
  })
  return Buffer.concat([start, ...parts])
}

const head = { _tag: "Head", embedder: "test-2", dimensions, words: Tokenizer.id }
const tenant = { _tag: "Tenant", tenant: "t", revision: 1 }
const change = { revision: 1, documentId: "a", kind: "indexed", changedAt: "2026-11-22T09:00:00.000Z" }
const about = {
  id: "a",
  fingerprint: "f",
  title: "",
  indexedAt: "2026-11-22T09:00:00.000Z",
  metadata: { kind: "x" },
  count: 1
}
const passage = { text: "A stork.", start: 0, end: 8 }
const numbers = (vector: ReadonlyArray<number>, words: ReadonlyArray<number> = []) =>
  Buffer.concat([Buffer.from(new Float32Array(vector).buffer), Buffer.from(new Uint32Array(words).buffer)])
const documents = { _tag: "Documents", pieces: [{ about, passages: [passage] }], terms: ["stork"], lengths: [1] }
const good: ReadonlyArray<Frame> = [
  [head],
  [tenant],
  [{ _tag: "Changes", changes: [change] }],
  [documents, numbers([1, 0], [1])]
]

/** The good frames with some replaced. */
const but = (frames: { readonly [n: number]: Frame }): ReadonlyArray<Buffer> =>
  good.map((frame, n) => rawContent(frames[n] ?? frame))

const [a, b, c, d] = good.map(rawContent)

const document = (more: object): Frame => [{ ...documents, ...more }, numbers([1, 0], [1])]
const told = (more: object): Frame => [{ _tag: "Changes", changes: [{ ...change, ...more }] }]
const said = (more: object): Frame => document({ pieces: [{ about: { ...about, ...more }, passages: [passage] }] })
const text = (more: object): Frame => document({ pieces: [{ about, passages: [{ ...passage, ...more }] }] })

const wrong: ReadonlyArray<readonly [what: string, contents: ReadonlyArray<Buffer | undefined>]> = [
  ["a frame of nothing", [a, b, Buffer.alloc(0)]],
  ["a frame of three bytes", [a, b, Buffer.alloc(3, 1)]],
  ["a text longer than its frame", [a, b, Buffer.concat([number(4_000_000_000), Buffer.from("{}")])]],
  ["a text that is no JSON", [a, b, rawContent(["{"])]],
  ["null", [a, b, rawContent([null])]],
  ["a list", [a, b, rawContent([[]])]],
  ["a part of no kind", [a, b, rawContent([{ _tag: "Index" }])]],
  ["a part named by a prototype", [a, b, rawContent([{ _tag: "__proto__" }])]],
  ["no frame at all", []],
  ["no head", [b, c, d]],
  ["two heads", [a, a, b, c, d]],
  ["documents of no tenant", [a, d]],
  ["changes of no tenant", [a, c]],
  ["a tenant without a name", but({ 1: [{ ...tenant, tenant: 7 }] })],
  ["a revision below 0", but({ 1: [{ ...tenant, revision: -1 }] })],
  ["a revision beyond all numbers", but({ 1: ["{\"_tag\":\"Tenant\",\"tenant\":\"t\",\"revision\":1e999}"] })],
  ["a revision other than the last change's", but({ 1: [{ ...tenant, revision: 9 }] })],
  ["more changes than revisions", but({ 2: [{ _tag: "Changes", changes: [change, change] }] })],
  ["changes that are none", but({ 2: [{ _tag: "Changes", changes: { length: 1e9 } }] })],
  ["a change of another kind", but({ 2: told({ kind: "moved" }) })],
  ["a change at no time", but({ 2: told({ changedAt: "today" }) })],
  ["pieces that are none", but({ 3: document({ pieces: null }) })],
  ["a document without an id", but({ 3: said({ id: undefined }) })],
  ["a document with a fact that is none", but({ 3: said({ metadata: { k: { deep: 1 } } }) })],
  ["a document with a list of facts", but({ 3: said({ metadata: [] }) })],
  ["a document published at no time", but({ 3: said({ publishedAt: 1.5 }) })],
  ["a document indexed at no time", but({ 3: said({ indexedAt: "" }) })],
  ["a document of a version that is none", but({ 3: said({ version: -2 }) })],
  ["a document that is cut off", but({ 3: said({ count: 2 }) })],
  ["a document with passages too many", but({ 3: said({ count: 0 }) })],
  ["a document begun within another", [a, b, c, rawContent(said({ count: 2 })), d]],
  ["passages of no document", but({ 3: document({ pieces: [{ passages: [passage] }] }) })],
  ["a passage without a text", but({ 3: text({ text: 1 }) })],
  ["a passage that stands elsewhere", but({ 3: text({ end: 9 }) })],
  ["vectors that are too short", but({ 3: [documents, numbers([1], [1])] })],
  ["vectors that are too long", but({ 3: [documents, numbers([1, 0, 0], [1])] })],
  ["half a number", but({ 3: [documents, Buffer.concat([numbers([1, 0], [1]), Buffer.alloc(2)])] })],
  ["a word without a name", but({ 3: [documents, numbers([1, 0], [17])] })],
  ["a word that never occurs", but({ 3: [documents, numbers([1, 0], [0])] })],
  ["words of more passages than there are", but({ 3: document({ lengths: [1, 0] }) })],
  ["more words than there are", but({ 3: document({ lengths: [1e15] }) })],
  ["words that are no text", but({ 3: document({ terms: [null] }) })]
]

describe("SnapshotDocumentStore, given a file whose digests are right", () => {
  it.scoped("takes it when the rest is right, too", () =>
    Effect.gen(function*() {
      const path = yield* file
      Fs.writeFileSync(path, forged(but({})))
      yield* opened(path, (store) =>
        Effect.gen(function*() {
          assert.deepStrictEqual(yield* store.size("t"), { documents: 1, passages: 1, revision: 1 })
          const [hit] = yield* store.search({ tenant: "t", text: "storks", limit: 5 })
          assert.deepStrictEqual(hit?.passage.metadata, { kind: "x" })
          assert.strictEqual(hit?.passage.text, "A stork.")
        }))
    }))

  for (const [what, contents] of wrong) {
    it.scoped(`refuses ${what}, and leaves the file`, () =>
      Effect.gen(function*() {
        const path = yield* file
        const bytes = forged(contents.flatMap((content) => content === undefined ? [] : [content]))
        Fs.writeFileSync(path, bytes)
        assert.match((yield* refusal(path)) ?? "it was taken", /the file .* is damaged; it was left as it is/)
        assert.isTrue(Fs.readFileSync(path).equals(bytes))
      }))
  }

  it.scoped("refuses a file of no format, and of a later one", () =>
    Effect.gen(function*() {
      const path = yield* file
      Fs.writeFileSync(path, forged(but({}), 0))
      assert.match((yield* refusal(path)) ?? "", /is damaged/)
      Fs.writeFileSync(path, forged(but({}), 0xffffffff))
      assert.match((yield* refusal(path)) ?? "", /is of format 4294967295, which a later version/)
    }))

  it.scoped("refuses or takes whatever JSON stands in it, without a defect", () =>
    Effect.gen(function*() {
      const path = yield* file
      const swapped = FastCheck.tuple(
        FastCheck.integer({ min: 0, max: 3 }),
        FastCheck.nat(),
        FastCheck.oneof(FastCheck.jsonValue(), FastCheck.constantFrom(-1, 1e300, "", "__proto__", 0.5, null))
      )
      const cases = FastCheck.sample(swapped, { numRuns: 250, seed: 7 })
      for (const [which, at, value] of cases) {
        const [content = {}, bytes] = good[which] ?? []
        let left = at % 24
        const spoilt: unknown = JSON.parse(JSON.stringify(content), (_, held: unknown) => left-- === 0 ? value : held)
        Fs.writeFileSync(path, forged(but({ [which]: bytes === undefined ? [spoilt] : [spoilt, bytes] })))
        const said = yield* refusal(path)
        if (said !== undefined) assert.match(said, /the file .* (is damaged|holds vectors of)/)
      }
    }))
})

describe("SnapshotDocumentStore, given a file of an earlier program", () => {
  /** As format 1 had it: no words. */
  const { lengths: _, terms: __, ...wordless } = documents
  const { words: ___, ...first } = head
  const more = { ...about, id: "b", version: 3, count: 2 }
  const old = forged(
    [
      [first],
      [{ ...tenant, revision: 5 }],
      [{ _tag: "Changes", changes: [{ ...change, revision: 4 }, { ...change, revision: 5, documentId: "b" }] }],
      [{ ...wordless, pieces: [...wordless.pieces, { about: more, passages: [passage] }] }, numbers([1, 0, 0, 1])],
      [{ _tag: "Documents", pieces: [{ passages: [{ text: "A heron.", start: 9, end: 17 }] }] }, numbers([0, 1])]
    ].map((frame) => rawContent(frame as unknown as Frame)),
    1
  )

  it.scoped("reads it, and writes it in the form of today", () =>
    Effect.gen(function*() {
      const path = yield* file
      Fs.writeFileSync(path, old)
      const seen = (store: DocumentStore.DocumentStore["Type"]) =>
        Effect.gen(function*() {
          const found = yield* store.search({
            tenant: "t",
            text: "storks heron",
            vector: new Float32Array([1, 1]),
            limit: 9
          })
          const changes = yield* Stream.runCollect(Stream.take(store.changes({ tenant: "t", after: 3 }), 2))
          return { found, changes: [...changes], size: yield* store.size("t"), b: yield* store.get("t", "b") }
        })
      const before = yield* opened(path, (store) =>
        Effect.zipLeft(seen(store), store.index("u", [{ id: "x", text: "An otter." }])))
      assert.deepStrictEqual(before.size, { documents: 2, passages: 3, revision: 5 })
      assert.lengthOf(before.found, 3)
      assert.deepStrictEqual(before.b.map(({ text, version }) => [text, version]), [["A stork.", 3], ["A heron.", 3]])
      assert.strictEqual(Fs.readFileSync(path).readUInt32LE(8), 2)
      assert.deepStrictEqual(yield* opened(path, seen), before)
    }))

  it.scoped("cuts words again that were cut by another rule", () =>
    Effect.gen(function*() {
      const path = yield* file
      const [, , , frame = [{}]] = good
      const other = [{ ...frame[0] as object, terms: ["quagga"] }, frame[1]] as unknown as Frame
      const count = (word: string) =>
        opened(path, (store) => Effect.map(store.search({ tenant: "t", text: word, limit: 5 }), (hits) => hits.length))
      Fs.writeFileSync(path, forged(but({ 3: other })))
      assert.deepStrictEqual([yield* count("quagga"), yield* count("stork")], [1, 0])
      Fs.writeFileSync(path, forged(but({ 0: [{ ...head, words: "another rule" }], 3: other })))
      assert.deepStrictEqual([yield* count("quagga"), yield* count("stork")], [0, 1])
    }))
})
