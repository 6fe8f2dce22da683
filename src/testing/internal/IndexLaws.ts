/**
 * What a document store promises about writing: replacing, removing, and whose
 * documents are whose.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import assert from "node:assert/strict"
import type { Document } from "../../document/Document.js"
import type { Law } from "./Law.js"
import { law, long, note, statuses } from "./Law.js"

/**
 * @since 0.1.0
 * @category testing
 */
export const laws: ReadonlyArray<Law> = [
  law("answers a ping", ({ store }) => store.ping),

  law("takes an empty batch and returns no outcomes", ({ index }) =>
    Effect.gen(function*() {
      assert.deepEqual(yield* index(), [])
    })),

  law(
    "returns a document as it was given, with defaults for what was left out",
    ({ index, store, tenant }) =>
      Effect.gen(function*() {
        const metadata = { company: "Acme", year: 2026, share: 0.1, audited: true, "odd key.$": "x" }
        const [first] = yield* index(
          note("full", "Revenue rose.", {
            title: "Annual report",
            uri: "https://example.com/a?b=c#d",
            publishedAt: "2026-11-01",
            version: 7,
            metadata
          }),
          note("bare", "Costs fell.")
        )
        assert.deepEqual(first, { id: "full", status: "indexed", passages: 1 })
        const [full] = yield* store.get(tenant, "full")
        assert.ok(full !== undefined && !Number.isNaN(Date.parse(full.indexedAt)))
        assert.deepEqual({ ...full, indexedAt: "" }, {
          documentId: "full",
          position: 0,
          title: "Annual report",
          text: "Revenue rose.",
          uri: "https://example.com/a?b=c#d",
          publishedAt: "2026-11-01T00:00:00.000Z",
          indexedAt: "",
          version: 7,
          span: { start: 0, end: 13 },
          metadata
        })
        const [bare] = yield* store.get(tenant, "bare")
        assert.ok(bare !== undefined)
        assert.equal(bare.title, "")
        assert.deepEqual(bare.metadata, {})
        assert.ok(bare.uri === undefined && bare.publishedAt === undefined && bare.version === undefined)
        assert.equal(Number.isNaN(Date.parse(bare.indexedAt)), false)
      })
  ),

  law("returns the passages of a long document in order", ({ index, store, tenant }) =>
    Effect.gen(function*() {
      const [outcome] = yield* index(note("long", long("topic", 12)))
      const passages = yield* store.get(tenant, "long")
      assert.ok(passages.length >= 8)
      assert.deepEqual(passages.map((passage) => passage.position), passages.map((_, position) => position))
      assert.ok(passages[0]?.text.startsWith("Paragraph 0"))
      assert.deepEqual(outcome, { id: "long", status: "indexed", passages: passages.length })
    })),

  law(
    "tells where each passage stands in its document's text",
    ({ index, search, store, tenant }) =>
      Effect.gen(function*() {
        const table = `| Name | Value |\r\n|---|---|\r\n${"| 🦜 row | 日本 |\r\n".repeat(200)}`
        const text = `  \r\n# Heading 🏝️\r\n\r\n${long("place", 4)}\r\n\r\n${table}\n\n- one\n\t- two\n\n${
          "ü".repeat(4000)
        }\n `
        yield* index(note("d", text, { title: "Title" }))
        const passages = yield* store.get(tenant, "d")
        assert.ok(passages.length > 6)
        const found = yield* search("place2 heading row", { limit: 100 })
        for (const { span, text: passage } of [...passages, ...found.map((hit) => hit.passage)]) {
          assert.ok(span !== undefined)
          assert.equal(text.slice(span.start, span.end), passage)
        }
      })
  ),

  law(
    "replaces a document whole: old words and left-over passages are gone",
    ({ held, ids, index, store, tenant }) =>
      Effect.gen(function*() {
        yield* index(note("d", long("zebra", 8)), note("other", "A bystander."))
        const [outcome] = yield* index(note("d", "Only quokkas now.", { title: "New" }))
        assert.deepEqual(outcome, { id: "d", status: "indexed", passages: 1 })
        assert.deepEqual(yield* ids("zebra0 zebra7"), [])
        assert.deepEqual(yield* ids("quokkas"), ["d"])
        assert.equal((yield* store.get(tenant, "d")).length, 1)
        assert.deepEqual(yield* held, [2, 2])
      })
  ),

  law(
    "calls the same content unchanged, whatever the order of its metadata",
    ({ index, store, tenant }) =>
      Effect.gen(function*() {
        const text = long("same", 3)
        yield* index(note("d", text, { title: "T", metadata: { a: 1, b: "2" } }))
        const before = yield* store.get(tenant, "d")
        const [outcome] = yield* index(note("d", text, { title: "T", metadata: { b: "2", a: 1 } }))
        assert.deepEqual(outcome, { id: "d", status: "unchanged", passages: before.length })
        assert.deepEqual(yield* store.get(tenant, "d"), before)
      })
  ),

  law(
    "keeps what is stored apart from what was handed in and from what it hands out",
    ({ ids, index, search, store, tenant }) =>
      Effect.gen(function*() {
        const metadata: { [key: string]: string | number } = { kind: "x", n: 1 }
        const filter = { metadata: { kind: "x", n: 1 } }
        yield* index(note("d", "A finch.", { metadata }))
        metadata["kind"] = "y"
        delete metadata["n"]
        assert.deepEqual(yield* ids("finch", { filter }), ["d"])
        const hits = yield* search("finch")
        for (const passage of [...yield* store.get(tenant, "d"), ...hits.map((hit) => hit.passage)]) {
          // what a program without types may do
          const mine: { [key: string]: unknown } = passage.metadata
          mine["kind"] = "z"
          delete mine["n"]
        }
        assert.deepEqual((yield* store.get(tenant, "d"))[0]?.metadata, { kind: "x", n: 1 })
        assert.deepEqual((yield* search("finch", { filter }))[0]?.passage.metadata, { kind: "x", n: 1 })
      })
  ),

  law(
    "sees a change of title, uri, date or metadata alone",
    ({ held, index, store, tenant }) =>
      Effect.gen(function*() {
        const changes: ReadonlyArray<Partial<Document>> = [
          {},
          { title: "T" },
          { title: "T", uri: "urn:x" },
          { title: "T", uri: "urn:x", publishedAt: "2026-01-01T00:00:00Z" },
          { title: "T", uri: "urn:x", publishedAt: "2026-01-01T00:00:00Z", metadata: { a: 1 } },
          { title: "T", uri: "urn:x", publishedAt: "2026-01-01T00:00:00Z", metadata: { a: "1" } }
        ]
        for (const change of changes) {
          assert.deepEqual(statuses(yield* index(note("d", "Text.", change))), ["indexed"])
          assert.deepEqual(statuses(yield* index(note("d", "Text.", change))), ["unchanged"])
        }
        assert.deepEqual((yield* store.get(tenant, "d"))[0]?.metadata, { a: "1" })
        assert.deepEqual(yield* held, [1, 1])
      })
  ),

  law(
    "lets the last of one id in a batch win and reports every entry in order",
    ({ held, ids, index }) =>
      Effect.gen(function*() {
        const outcomes = yield* index(note("a", "First aardvark."), note("b", "Bee."), note("a", "Second alpaca."))
        assert.deepEqual(outcomes, [
          { id: "a", status: "indexed", passages: 1 },
          { id: "b", status: "indexed", passages: 1 },
          { id: "a", status: "indexed", passages: 1 }
        ])
        assert.deepEqual(yield* ids("aardvark"), [])
        assert.deepEqual(yield* ids("alpaca"), ["a"])
        assert.deepEqual(yield* held, [2, 2])
      })
  ),

  law("keeps the stored document when its replacement is refused", ({ ids, index }) =>
    Effect.gen(function*() {
      yield* index(note("d", "A marmot."))
      assert.deepEqual(statuses(yield* index(note("d", ""))), ["refused"])
      assert.deepEqual(yield* ids("marmot"), ["d"])
    })),

  law(
    "removes a document once, counts it once and forgets its words",
    ({ held, ids, index, store, tenant }) =>
      Effect.gen(function*() {
        yield* index(note("a", long("lemur", 3)), note("b", "A lemur too."))
        assert.equal(yield* store.remove(tenant, ["a", "a", "unknown"]), 1)
        assert.equal(yield* store.remove(tenant, ["a"]), 0)
        assert.equal(yield* store.remove(tenant, []), 0)
        assert.deepEqual(yield* ids("lemur lemur0"), ["b"])
        assert.deepEqual(yield* store.get(tenant, "a"), [])
        assert.deepEqual(yield* held, [1, 1])
        assert.deepEqual(statuses(yield* index(note("a", "A lemur again."))), ["indexed"])
        assert.deepEqual([...yield* ids("lemur")].sort(), ["a", "b"])
      })
  ),

  law(
    "keeps tenants apart in search, get, size and remove",
    ({ held, ids, index, store, tenant }) =>
      Effect.gen(function*() {
        const other = `${tenant}-other`
        yield* index(note("same", "My otter.", { metadata: { k: 1 } }))
        yield* store.index(other, [
          note("same", "Your otter and badger.", { metadata: { k: 1 } }),
          note("more", "An otter.")
        ])
        assert.deepEqual(yield* ids("otter badger", { filter: { metadata: { k: 1 } } }), ["same"])
        assert.deepEqual(yield* ids("badger"), [])
        assert.equal((yield* store.get(tenant, "same"))[0]?.text, "My otter.")
        assert.deepEqual(yield* store.get(tenant, "more"), [])
        assert.equal(yield* store.remove(tenant, ["more"]), 0)
        assert.equal(yield* store.remove(tenant, ["same"]), 1)
        assert.deepEqual(yield* held, [0, 0])
        const { documents, passages } = yield* store.size(other)
        assert.deepEqual([documents, passages], [2, 2])
      })
  ),

  law(
    "keeps every document of batches that are indexed at once",
    ({ held, ids, index }) =>
      Effect.gen(function*() {
        const batches = Array.from({ length: 8 }, (_, batch) =>
          Array.from({ length: 10 }, (_, n) =>
            note(`d${batch}-${n}`, `Document number${batch}x${n} on ferrets.`)))
        yield* Effect.forEach(batches, (batch) =>
          index(...batch), { concurrency: "unbounded", discard: true })
        yield* Effect.forEach(batches, () => index(note("shared", "One shared wombat.")), {
          concurrency: "unbounded",
          discard: true
        })
        assert.deepEqual(yield* held, [81, 81])
        assert.deepEqual(yield* ids("wombat"), ["shared"])
        assert.deepEqual(yield* ids("number7x9"), ["d7-9"])
      })
  )
]
