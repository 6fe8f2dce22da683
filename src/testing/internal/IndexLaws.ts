/**
 * What a document store promises about writing: replacing, refusing, removing,
 * and whose documents are whose.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import assert from "node:assert/strict"
import type { Document } from "../../document/Document.js"
import type { Law } from "./Law.js"
import { law, long, note } from "./Law.js"

/** Texts that break out of a query, a prototype or an encoding where the code is careless. */
const hostile = [
  "'; drop table documents; --",
  "a' or '1'='1",
  "\"quoted\" \\backslash\\ $1 $$ %s ${x} {{y}}",
  "__proto__",
  "constructor",
  "100%_like_*?[a]",
  "{\"a\":1},{null}",
  "🦜🏝️ emoji",
  "ﬀ ligature, Ünïcödé, 日本語, עברית",
  "line\nbreak\ttab"
]

const statuses = (outcomes: ReadonlyArray<{ readonly status: string }>) => outcomes.map((outcome) => outcome.status)

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
    "finds nothing, removes nothing and holds nothing for a tenant it never saw",
    ({ ids, store, tenant }) =>
      Effect.gen(function*() {
        assert.deepEqual(yield* ids("anything"), [])
        assert.deepEqual(yield* store.get(tenant, "any"), [])
        assert.equal(yield* store.remove(tenant, ["any"]), 0)
        assert.deepEqual(yield* store.size(tenant), { documents: 0, passages: 0 })
      })
  ),

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
          metadata
        })
        const [bare] = yield* store.get(tenant, "bare")
        assert.ok(bare !== undefined)
        assert.equal(bare.title, "")
        assert.deepEqual(bare.metadata, {})
        assert.ok(bare.uri === undefined && bare.publishedAt === undefined)
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
    "replaces a document whole: old words and left-over passages are gone",
    ({ ids, index, store, tenant }) =>
      Effect.gen(function*() {
        yield* index(note("d", long("zebra", 8)), note("other", "A bystander."))
        const [outcome] = yield* index(note("d", "Only quokkas now.", { title: "New" }))
        assert.deepEqual(outcome, { id: "d", status: "indexed", passages: 1 })
        assert.deepEqual(yield* ids("zebra0 zebra7"), [])
        assert.deepEqual(yield* ids("quokkas"), ["d"])
        assert.equal((yield* store.get(tenant, "d")).length, 1)
        assert.deepEqual(yield* store.size(tenant), { documents: 2, passages: 2 })
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

  law("sees a change of title, uri, date or metadata alone", ({ index, store, tenant }) =>
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
      assert.deepEqual(yield* store.size(tenant), { documents: 1, passages: 1 })
    })),

  law(
    "lets the last of one id in a batch win and reports every entry in order",
    ({ ids, index, store, tenant }) =>
      Effect.gen(function*() {
        const outcomes = yield* index(note("a", "First aardvark."), note("b", "Bee."), note("a", "Second alpaca."))
        assert.deepEqual(outcomes, [
          { id: "a", status: "indexed", passages: 1 },
          { id: "b", status: "indexed", passages: 1 },
          { id: "a", status: "indexed", passages: 1 }
        ])
        assert.deepEqual(yield* ids("aardvark"), [])
        assert.deepEqual(yield* ids("alpaca"), ["a"])
        assert.deepEqual(yield* store.size(tenant), { documents: 2, passages: 2 })
      })
  ),

  law(
    "refuses what cannot be indexed, by name, and takes the rest of the batch",
    ({ index, store, tenant }) =>
      Effect.gen(function*() {
        const outcomes = yield* index(
          note("good", "Fine."),
          note("", "No id."),
          note("x".repeat(513), "Long id."),
          note("nul\0id", "NUL."),
          note("empty", ""),
          note("blank", " \n\t "),
          note("nul", "a\0b"),
          note("binary", "\x01\x02\x03\x04 text"),
          note("large", "word ".repeat(500_000)),
          note("undated", "Text.", { publishedAt: "yesterday" }),
          note("facts", "Text.", { metadata: Object.fromEntries(Array.from({ length: 65 }, (_, n) => [`k${n}`, n])) }),
          note("infinite", "Text.", { metadata: { n: Number.POSITIVE_INFINITY } }),
          note("half", "Text \ud83d."),
          note("last", "Fine too.")
        )
        assert.deepEqual(statuses(outcomes), ["indexed", ...Array.from({ length: 12 }, () => "refused"), "indexed"])
        assert.deepEqual(outcomes.map((outcome) => outcome.id).slice(4, 8), ["empty", "blank", "nul", "binary"])
        for (const outcome of outcomes) assert.ok(outcome.status !== "refused" || outcome.reason.length > 5)
        assert.deepEqual(yield* store.size(tenant), { documents: 2, passages: 2 })
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
    ({ ids, index, store, tenant }) =>
      Effect.gen(function*() {
        yield* index(note("a", long("lemur", 3)), note("b", "A lemur too."))
        assert.equal(yield* store.remove(tenant, ["a", "a", "unknown"]), 1)
        assert.equal(yield* store.remove(tenant, ["a"]), 0)
        assert.equal(yield* store.remove(tenant, []), 0)
        assert.deepEqual(yield* ids("lemur lemur0"), ["b"])
        assert.deepEqual(yield* store.get(tenant, "a"), [])
        assert.deepEqual(yield* store.size(tenant), { documents: 1, passages: 1 })
        assert.deepEqual(statuses(yield* index(note("a", "A lemur again."))), ["indexed"])
        assert.deepEqual([...yield* ids("lemur")].sort(), ["a", "b"])
      })
  ),

  law("keeps tenants apart in search, get, size and remove", ({ ids, index, store, tenant }) =>
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
      assert.deepEqual(yield* store.size(tenant), { documents: 0, passages: 0 })
      assert.deepEqual(yield* store.size(other), { documents: 2, passages: 2 })
    })),

  law(
    "lists documents by filter, whatever they say: the newest first, the undated last, ties by id",
    ({ index, store, tenant }) =>
      Effect.gen(function*() {
        yield* index(
          note("b", "The of and.", { publishedAt: "2026-01-01", metadata: { kind: "x" } }),
          note("a", long("gnu", 3), { title: "Gnus", publishedAt: "2026-01-01T00:00:00Z", metadata: { kind: "x" } }),
          note("undated", "A yak.", { metadata: { kind: "x" } }),
          note("new", "An ibex.", { publishedAt: "2026-05-01", metadata: { kind: "y" } })
        )
        const passages = (yield* store.get(tenant, "a")).length
        assert.deepEqual(yield* store.list(tenant, { limit: 10, filter: { metadata: { kind: "x" } } }), [
          { id: "a", title: "Gnus", publishedAt: "2026-01-01T00:00:00.000Z", passages },
          { id: "b", title: "", publishedAt: "2026-01-01T00:00:00.000Z", passages: 1 },
          { id: "undated", title: "", passages: 1 }
        ])
        const ids = (options: Parameters<typeof store.list>[1]) =>
          Effect.map(store.list(tenant, options), (listed) => listed.map(({ id }) => id))
        assert.deepEqual(yield* ids({ limit: 10 }), ["new", "a", "b", "undated"])
        assert.deepEqual(yield* ids({ limit: 2.5 }), ["new", "a"])
        assert.deepEqual(yield* ids({ limit: -1 }), ["new"])
        assert.deepEqual(yield* ids({ limit: 10, filter: { until: "2026-05-01" } }), ["a", "b"])
        assert.deepEqual(yield* ids({ limit: 10, filter: { documentIds: ["b", "?"] } }), ["b"])
        assert.deepEqual(yield* ids({ limit: 10, filter: { documentIds: [] } }), [])
        yield* index(note("new", "Replaced."))
        assert.deepEqual(yield* ids({ limit: 10 }), ["a", "b", "new", "undated"])
        yield* store.remove(tenant, ["a"])
        assert.deepEqual(yield* ids({ limit: 10 }), ["b", "new", "undated"])
        assert.deepEqual(yield* store.list(`${tenant}-other`, { limit: 10 }), [])
      })
  ),

  law(
    "takes hostile text for what it is in tenants, ids, titles, texts and metadata",
    ({ store, tenant }) =>
      Effect.gen(function*() {
        for (const text of hostile) {
          const home = `${tenant} ${text}`
          const metadata = Object.fromEntries([[text, text]])
          const document = note(text, `${text} marker`, { title: text, uri: text, metadata })
          assert.deepEqual(yield* store.index(home, [document]), [{ id: text, status: "indexed", passages: 1 }])
          const [passage] = yield* store.get(home, text)
          assert.equal(passage?.text, `${text} marker`)
          assert.deepEqual(Object.entries(passage.metadata), [[text, text]])
          for (const filter of [{ metadata }, { documentIds: [text] }]) {
            const hits = yield* store.search({ tenant: home, text: `marker ${text}`, limit: 5, filter })
            assert.deepEqual(hits.map((hit) => hit.passage.documentId), [text])
          }
          assert.equal(yield* store.remove(home, [text]), 1)
        }
      })
  ),

  law(
    "takes an id with a NUL or a broken character for one it does not know",
    ({ ids, index, store, tenant }) =>
      Effect.gen(function*() {
        yield* index(note("a", "A vole."))
        for (const id of ["a\0", "\ud83d"]) {
          assert.deepEqual(yield* store.get(tenant, id), [])
          assert.equal(yield* store.remove(tenant, [id]), 0)
          assert.deepEqual(yield* ids("vole", { filter: { documentIds: [id] } }), [])
          assert.deepEqual(yield* ids("vole", { filter: { metadata: { k: id } } }), [])
          assert.deepEqual(yield* ids("vole", { filter: { documentIds: [id, "a"] } }), ["a"])
        }
      })
  ),

  law(
    "keeps every document of batches that are indexed at once",
    ({ ids, index, store, tenant }) =>
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
        assert.deepEqual(yield* store.size(tenant), { documents: 81, passages: 81 })
        assert.deepEqual(yield* ids("wombat"), ["shared"])
        assert.deepEqual(yield* ids("number7x9"), ["d7-9"])
      })
  )
]
