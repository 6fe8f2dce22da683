/**
 * What a document store promises about bad input: what it refuses by name, what
 * it takes for what it is, and that nothing else suffers.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import assert from "node:assert/strict"
import type { Document } from "../../document/Document.js"
import type { Law } from "./Law.js"
import { law, note, statuses } from "./Law.js"

/** Texts that break out of a query, a prototype or an encoding where the code is careless. */
const hostile = [
  "'; drop table documents; --",
  "a' or '1'='1",
  "\"quoted\" \\backslash\\ $1 $$ %s ${x} {{y}}",
  "E'\\x00' \\u0000 \\0 $body$ /* */ ;",
  "__proto__",
  "constructor",
  "100%_like_*?[a]",
  "{\"a\":1},{null}",
  "null",
  "{}",
  " leading and trailing ",
  "🦜🏝️ emoji",
  "ﬀ ligature, Ünïcödé, 日本語, עברית",
  "\u202eright to left\u202c\u200f\u2066mark\u2069",
  "e\u0301 and \u00e9, \ufeff, \u2028, \ufffd, \uffff",
  "line\nbreak\ttab\r\nreturn\x07bell"
]

/** What no store can hold. */
const unstorable = ["a\0", "\0", "\ud83d", "x\udc00y"]

/** Every kind of document that no store takes. */
const bad: ReadonlyArray<Document> = [
  note("", "No id."),
  note(" \t ", "A blank id."),
  note("x".repeat(513), "A long id."),
  note("nul\0id", "NUL."),
  note("half\ud83did", "Half a pair."),
  note("empty", ""),
  note("blank", " \n\t "),
  note("invisible", "\u200b\u2060 \u0301"),
  note("nul", "a\0b"),
  note("half", "Text \ud83d."),
  note("binary", "\x01\x02\x03\x04 text"),
  note("undecoded", "\ufffd\ufffd\ufffd text"),
  note("large", "word ".repeat(500_000)),
  note("undated", "Text.", { publishedAt: "yesterday" }),
  note("february", "Text.", { publishedAt: "2026-02-30" }),
  note("year 0", "Text.", { publishedAt: "0000-01-01" }),
  note("year 10000", "Text.", { publishedAt: "10000-01-01T00:00:00Z" }),
  note("title", "Text.", { title: "t".repeat(2001) }),
  note("title nul", "Text.", { title: "\0" }),
  note("uri", "Text.", { uri: "u".repeat(4097) }),
  note("uri half", "Text.", { uri: "\udc00" }),
  note("version", "Text.", { version: -1 }),
  note("fraction", "Text.", { version: 1.5 }),
  note("huge version", "Text.", { version: 2 ** 53 }),
  note("facts", "Text.", { metadata: Object.fromEntries(Array.from({ length: 65 }, (_, n) => [`k${n}`, n])) }),
  note("large facts", "Text.", { metadata: { k: "x".repeat(70_000) } }),
  note("infinite", "Text.", { metadata: { n: Number.POSITIVE_INFINITY } }),
  note("no number", "Text.", { metadata: { n: Number.NaN } }),
  note("fact nul", "Text.", { metadata: { n: "\0" } }),
  note("name half", "Text.", { metadata: { "\ud83d": 1 } }),
  // what a program without types hands in
  { id: "no text" } as Document,
  { id: "nested", text: "Text.", metadata: { k: { deep: 1 } } } as unknown as Document
]

/**
 * @since 0.1.0
 * @category testing
 */
export const laws: ReadonlyArray<Law> = [
  law(
    "refuses every kind of bad document by name and place, and takes the good ones between them",
    ({ held, ids, index, store, tenant }) =>
      Effect.gen(function*() {
        const batch = bad.flatMap((document, n) => [document, note(`good${n}`, `Good okapi ${n}.`)])
        const outcomes = yield* index(...batch)
        assert.deepEqual(outcomes.map(({ id }) => id), batch.map(({ id }) => id))
        assert.deepEqual(statuses(outcomes), bad.flatMap(() => ["refused", "indexed"]))
        for (const outcome of outcomes) assert.ok(outcome.status !== "refused" || outcome.reason.length > 10)
        assert.deepEqual(yield* held, [bad.length, bad.length])
        assert.equal((yield* ids("okapi", { limit: 100 })).length, bad.length)
        assert.equal((yield* store.size(tenant)).revision, bad.length)
      })
  ),

  law(
    "changes nothing for a batch of which all is refused",
    ({ held, index, store, tenant }) =>
      Effect.gen(function*() {
        assert.deepEqual(statuses(yield* index(...bad)), bad.map(() => "refused"))
        assert.deepEqual(yield* held, [0, 0])
        assert.equal((yield* store.size(tenant)).revision, 0)
      })
  ),

  law(
    "takes hostile text for what it is in tenants, ids, titles, addresses, texts, metadata and filters",
    ({ store, tenant }) =>
      Effect.gen(function*() {
        for (const text of hostile) {
          const home = `${tenant} ${text}`
          const metadata = Object.fromEntries([[text, text]])
          const document = note(text, `${text} marker`, { title: text, uri: text, metadata })
          assert.deepEqual(yield* store.index(home, [document]), [{ id: text, status: "indexed", passages: 1 }])
          const [passage] = yield* store.get(home, text)
          assert.ok(passage?.text === `${text} marker`.trim() && passage.title === text && passage.uri === text)
          assert.deepEqual(Object.entries(passage.metadata), [[text, text]])
          for (const filter of [{ metadata }, { documentIds: [text] }, { metadata: { [text]: [1, text, false] } }]) {
            const hits = yield* store.search({ tenant: home, text: `marker ${text}`, limit: 5, filter })
            assert.deepEqual(hits.map((hit) => hit.passage.documentId), [text])
          }
          assert.deepEqual((yield* store.list(home, { limit: 5, filter: { metadata } })).map(({ id }) => id), [text])
          assert.deepEqual(yield* store.list(home, { limit: 5, filter: { metadata: { [text]: `${text} ` } } }), [])
          assert.deepEqual(yield* store.list(home, { limit: 5, after: { id: text } }), [])
          assert.equal((yield* store.size(home)).documents, 1)
          assert.equal(yield* store.remove(home, [text]), 1)
        }
      })
  ),

  law(
    "takes the longest ids there may be, and tells those apart that differ at the end",
    ({ ids, index, store, tenant }) =>
      Effect.gen(function*() {
        const longest = ["x".repeat(512), `${"x".repeat(511)}y`, "é".repeat(512), "🦜".repeat(256), "'".repeat(512)]
        yield* index(...longest.map((id, n) => note(id, `A tapir, number${n}.`)))
        for (const [n, id] of longest.entries()) {
          assert.equal((yield* store.get(tenant, id))[0]?.text, `A tapir, number${n}.`)
          assert.deepEqual(yield* ids("tapir", { filter: { documentIds: [id] } }), [id])
        }
        assert.equal((yield* store.list(tenant, { limit: 10 })).length, longest.length)
        assert.equal(yield* store.remove(tenant, longest), longest.length)
      })
  ),

  law(
    "takes a fact without a name, and the most facts there may be",
    ({ ids, index, store, tenant }) =>
      Effect.gen(function*() {
        const metadata = { "": "x", ...Object.fromEntries(Array.from({ length: 63 }, (_, n) => [`k${n}`, n])) }
        assert.deepEqual(statuses(yield* index(note("a", "A mole.", { metadata }))), ["indexed"])
        assert.deepEqual((yield* store.get(tenant, "a"))[0]?.metadata, metadata)
        assert.deepEqual(yield* ids("mole", { filter: { metadata } }), ["a"])
        assert.deepEqual(yield* ids("mole", { filter: { metadata: { "": "y" } } }), [])
      })
  ),

  law(
    "takes an id with a NUL or a broken character for one it does not know",
    ({ ids, index, store, tenant }) =>
      Effect.gen(function*() {
        yield* index(note("a", "A vole."))
        for (const id of unstorable) {
          assert.deepEqual(yield* store.get(tenant, id), [])
          assert.equal(yield* store.remove(tenant, [id]), 0)
          assert.deepEqual(yield* ids("vole", { filter: { documentIds: [id] } }), [])
          assert.deepEqual(yield* ids("vole", { filter: { metadata: { k: id } } }), [])
          assert.deepEqual(yield* ids("vole", { filter: { metadata: { [id]: 1 } } }), [])
          assert.deepEqual(yield* ids("vole", { filter: { documentIds: [id, "a"] } }), ["a"])
        }
      })
  ),

  law(
    "knows nothing of a tenant whose name no store can hold, and refuses its documents by name",
    ({ store }) =>
      Effect.gen(function*() {
        for (const tenant of unstorable) {
          const outcomes = yield* store.index(tenant, [note("a", "A vole."), note("", "None.")])
          assert.deepEqual(statuses(outcomes), ["refused", "refused"])
          assert.deepEqual(yield* store.search({ tenant, text: "vole", limit: 5 }), [])
          assert.deepEqual(yield* store.get(tenant, "a"), [])
          assert.deepEqual(yield* store.list(tenant, { limit: 5 }), [])
          assert.equal(yield* store.remove(tenant, ["a"]), 0)
          assert.deepEqual(yield* store.size(tenant), { documents: 0, passages: 0, revision: 0 })
        }
      })
  ),

  law(
    "takes a tenant's name of 2,000 bytes, and refuses the documents of a longer one by name",
    ({ store, tenant }) =>
      Effect.gen(function*() {
        const longest = [
          tenant + "x".repeat(2_000 - tenant.length),
          `${tenant}${"é".repeat((2_000 - tenant.length) / 2)}`
        ]
        for (const name of longest) {
          assert.deepEqual(statuses(yield* store.index(name, [note("a", "A vole.")])), ["indexed"])
          assert.equal((yield* store.search({ tenant: name, text: "vole", limit: 5 })).length, 1)
          assert.equal(yield* store.remove(name, ["a"]), 1)
        }
        for (const name of [`${longest[0]}x`, "é".repeat(1_001), "x".repeat(1_000_000)]) {
          const outcomes = yield* store.index(name, [note("a", "A vole."), note("b", "Another.")])
          assert.deepEqual(statuses(outcomes), ["refused", "refused"])
          const [first] = outcomes
          assert.ok(first?.status === "refused" && first.reason.includes("tenant"), JSON.stringify(first))
          assert.deepEqual(yield* store.search({ tenant: name, text: "vole", limit: 5 }), [])
          assert.deepEqual(yield* store.get(name, "a"), [])
          assert.deepEqual(yield* store.list(name, { limit: 5 }), [])
          assert.equal(yield* store.remove(name, ["a"]), 0)
          assert.deepEqual(yield* store.size(name), { documents: 0, passages: 0, revision: 0 })
        }
      })
  ),

  law(
    "finds nothing, removes nothing and holds nothing for a tenant it never saw",
    ({ ids, store, tenant }) =>
      Effect.gen(function*() {
        assert.deepEqual(yield* ids("anything"), [])
        assert.deepEqual(yield* store.get(tenant, "any"), [])
        assert.equal(yield* store.remove(tenant, ["any"]), 0)
        assert.deepEqual(yield* store.list(tenant, { limit: 5, after: { id: "a", publishedAt: "2026-01-01" } }), [])
        assert.deepEqual(yield* store.size(tenant), { documents: 0, passages: 0, revision: 0 })
      })
  ),

  law(
    "takes a word of a megabyte for a document, whole and findable by its beginning",
    ({ ids, index, store, tenant }) =>
      Effect.gen(function*() {
        const text = "q".repeat(1_000_000)
        const [outcome] = yield* index(note("giant", text), note("b", "A bystander."))
        assert.ok(outcome?.status === "indexed" && outcome.passages > 500)
        const passages = yield* store.get(tenant, "giant")
        assert.equal(passages.map((passage) => passage.text).join(""), text)
        assert.deepEqual(yield* ids("q".repeat(1600), { limit: 1 }), ["giant"])
        assert.deepEqual(yield* ids("bystander"), ["b"])
        assert.equal(yield* store.remove(tenant, ["giant"]), 1)
      })
  ),

  law(
    "takes an id more than once, and many at once, when it removes",
    ({ held, index, store, tenant }) =>
      Effect.gen(function*() {
        yield* index(...Array.from({ length: 120 }, (_, n) => note(`d${n}`, `Number ${n}.`)))
        const given = Array.from({ length: 1000 }, (_, n) => `d${n % 200}`)
        assert.equal(yield* store.remove(tenant, [...given, ...unstorable, "", "'"]), 120)
        assert.deepEqual(yield* held, [0, 0])
      })
  )
]
