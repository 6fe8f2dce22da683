import * as NodeContext from "@effect/platform-node/NodeContext"
import { SystemError } from "@effect/platform/Error"
import * as FileSystem from "@effect/platform/FileSystem"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { ingest } from "../../examples/ingest/run.js"
import { folderOf, lines, makeStore, refusalsBelow } from "./folders.js"

const tenant = "default"
const run = it.scoped

describe("ingest, reading", () => {
  run("takes id, title, address, date and facts from a JSONL line", () =>
    Effect.gen(function*() {
      const store = makeStore()
      const root = yield* folderOf({
        "a.jsonl":
          `\n{"id":"x","text":"hello","title":"T","uri":"https://corpus.example/x","publishedAt":"2026-03-01",` +
          `"version":4,"metadata":{"n":1,"b":true,"s":"v"}}\r\n{"id":7,"text":"seven","title":null}\n{"text":"nameless"}`
      })
      const summary = yield* Effect.provide(ingest(root, { tenant }), store.layer)
      assert.strictEqual(summary.indexed, 3)
      assert.deepStrictEqual([...store.kept.values()], [
        {
          id: "x",
          text: "hello",
          title: "T",
          uri: "https://corpus.example/x",
          publishedAt: "2026-03-01T00:00:00.000Z",
          version: 4,
          metadata: { n: 1, b: true, s: "v" }
        },
        { id: "7", text: "seven" },
        { id: "a.jsonl#4", text: "nameless" }
      ])
    }).pipe(Effect.provide(NodeContext.layer)))

  run(
    "takes title and date of Markdown from front matter, else the first heading outside code, else the name",
    () =>
      Effect.gen(function*() {
        const store = makeStore()
        const root = yield* folderOf({
          "deep/front.md": `---\ntitle: "From: front matter"\ndate: 2026-01-02\ntags: [a]\n---\n# Heading\nBody`,
          "heading.md": "```sh\n# a comment\n```\n\n## The heading ##\n\nBody",
          "plain.MD": "No heading at all",
          "rule.md": "Text first\n\n---\n\ntitle: not front matter",
          "words.txt": "\ufeffSome words\n"
        })
        yield* Effect.provide(ingest(root, { tenant }), store.layer)
        const seen = [...store.kept.values()].map(({ id, publishedAt, text, title }) => ({
          id,
          title,
          publishedAt,
          text
        }))
        assert.deepStrictEqual(seen, [
          {
            id: "deep/front.md",
            title: "From: front matter",
            publishedAt: "2026-01-02T00:00:00.000Z",
            text: "# Heading\nBody"
          },
          {
            id: "heading.md",
            title: "The heading",
            publishedAt: undefined,
            text: "```sh\n# a comment\n```\n\n## The heading ##\n\nBody"
          },
          { id: "plain.MD", title: "plain", publishedAt: undefined, text: "No heading at all" },
          {
            id: "rule.md",
            title: "rule",
            publishedAt: undefined,
            text: "Text first\n\n---\n\ntitle: not front matter"
          },
          { id: "words.txt", title: "words", publishedAt: undefined, text: "Some words" }
        ])
      }).pipe(Effect.provide(NodeContext.layer))
  )

  run(
    "reads a date with or without time and zone, in UTC unless it says otherwise, and no date that is none",
    () =>
      Effect.gen(function*() {
        const store = makeStore()
        const dates = [
          "2026-11-22",
          "2026-11-22T10:30",
          "2026-11-22T10:30:05.5Z",
          "2026-11-22 10:30:00 +0200",
          "2026-02-31",
          "2026-13-01",
          "22/11/2026",
          "November 2026"
        ]
        const root = yield* folderOf({
          "a.jsonl": dates.map((publishedAt, i) => JSON.stringify({ id: `${i}`, text: "t", publishedAt })).join("\n")
        })
        const summary = yield* Effect.provide(ingest(root, { tenant }), store.layer)
        assert.deepStrictEqual([...store.kept.values()].map((document) => document.publishedAt), [
          "2026-11-22T00:00:00.000Z",
          "2026-11-22T10:30:00.000Z",
          "2026-11-22T10:30:05.500Z",
          "2026-11-22T08:30:00.000Z"
        ])
        assert.strictEqual(summary.refused, 4)
      }).pipe(Effect.provide(NodeContext.layer))
  )

  run("names every line and file it cannot use, and goes on with the rest", () =>
    Effect.gen(function*() {
      const store = makeStore()
      const root = yield* folderOf({
        "bad.jsonl": [
          `{"id":"ok1","text":"fine"}`,
          `{"id":"broken"`,
          `{"id":"no-text"}`,
          `[1]`,
          `{"id":"m","text":"t","metadata":{"list":[1]}}`,
          `{"id":"d","text":"t","publishedAt":"soon"}`,
          `{"id":"blank","text":"  "}`,
          `{"id":"t","text":5}`,
          `{"id":"w","text":"unwanted"}`,
          `{"id":"ok1","text":"again"}`,
          `{"id":"ok2","text":"fine"}`
        ].join("\n"),
        "binary.txt": new Uint8Array([0x50, 0x4b, 0x00, 0x01]),
        "date.md": "---\ndate: whenever\n---\nBody",
        "empty.jsonl": "\n \n",
        "empty.txt": " \n",
        "latin1.md": new Uint8Array([...Buffer.from("\ufffdcaf"), 0xe9]),
        "latin1.jsonl": new Uint8Array([...Buffer.from(`\n    \n{"id":"l","text":"caf`), 0xe9, ...Buffer.from(`"}`)])
      })
      const summary = yield* Effect.provide(ingest(root, { tenant }), store.layer)
      assert.deepStrictEqual([...store.kept.keys()], ["ok1", "ok2"])
      assert.strictEqual(summary.indexed, 2)
      assert.strictEqual(summary.refused, 15)
      assert.deepStrictEqual(refusalsBelow(root, summary), {
        "bad.jsonl:2": "it is not valid JSON",
        "bad.jsonl:3": `it has no "text"`,
        "bad.jsonl:4": "it is not a JSON object",
        "bad.jsonl:5": `its "metadata" must be an object of text, numbers, true and false`,
        "bad.jsonl:6": "its publishedAt is not a date; write ISO 8601, for example 2026-11-22",
        "bad.jsonl:7": `its "text" is empty`,
        "bad.jsonl:8": `its "text" has the wrong type; text is needed`,
        "bad.jsonl:9": "not wanted here",
        "bad.jsonl:10": `its id "ok1" was read before`,
        "binary.txt": "it is a binary file, not text",
        "date.md": "its date is not a date; write ISO 8601, for example 2026-11-22",
        "empty.jsonl": "it is empty",
        "empty.txt": "it is empty",
        "latin1.jsonl:3": "it is not valid UTF-8 text: see the byte 0xe9 at offset 27; save it as UTF-8",
        "latin1.md": "it is not valid UTF-8 text: see the byte 0xe9 at offset 6; save it as UTF-8"
      })
    }).pipe(Effect.provide(NodeContext.layer)))

  run("refuses a line over 4 MiB by its number and reads the next", () =>
    Effect.gen(function*() {
      const store = makeStore()
      const long = JSON.stringify({ id: "long", text: "x".repeat(5 * 1024 * 1024) })
      const root = yield* folderOf({
        "a.jsonl": `${lines(1)}${long}\n${lines(1, 1)}`,
        "b.txt": "x".repeat(4 * 1024 * 1024 + 1)
      })
      const summary = yield* Effect.provide(ingest(root, { tenant }), store.layer)
      assert.deepStrictEqual([...store.kept.keys()], ["d0", "d1"])
      assert.deepStrictEqual(refusalsBelow(root, summary), {
        "a.jsonl:2": "it is longer than 4 MiB",
        "b.txt": "it is longer than 4 MiB"
      })
    }).pipe(Effect.provide(NodeContext.layer)))

  run("reads a line that is cut into many chunks as one", () =>
    Effect.gen(function*() {
      const store = makeStore()
      const text = "ä€😀".repeat(40_000)
      const root = yield* folderOf({ "a.jsonl": `${JSON.stringify({ id: "big", text })}\n${lines(1)}` })
      yield* Effect.provide(ingest(root, { tenant }), store.layer)
      assert.strictEqual(store.kept.get("big")?.text, text)
      assert.isTrue(store.kept.has("d0"))
    }).pipe(Effect.provide(NodeContext.layer)))

  run(
    "follows no symbolic link and reads no dot-folder, node_modules or other kind of file",
    () =>
      Effect.gen(function*() {
        const fs = yield* FileSystem.FileSystem
        const store = makeStore()
        const root = yield* folderOf({
          ".git/a.md": "no",
          "node_modules/p/readme.md": "no",
          "picture.png": "no",
          "sub/a.md": "yes"
        })
        yield* fs.symlink(root, `${root}/sub/loop`)
        yield* fs.symlink(`${root}/sub/a.md`, `${root}/b.md`)
        const summary = yield* Effect.provide(ingest(root, { tenant }), store.layer)
        assert.deepStrictEqual([...store.kept.keys()], ["sub/a.md"])
        assert.include(summary, { indexed: 1, refused: 0, otherFiles: 1, links: 2 })
      }).pipe(Effect.provide(NodeContext.layer))
  )

  run("reads a single file under its own name", () =>
    Effect.gen(function*() {
      const store = makeStore()
      const root = yield* folderOf({ "only.txt": "words" })
      yield* Effect.provide(ingest(`${root}/only.txt`, { tenant }), store.layer)
      assert.deepStrictEqual([...store.kept.keys()], ["only.txt"])
    }).pipe(Effect.provide(NodeContext.layer)))

  run("refuses a path that does not exist or is of another kind by name", () =>
    Effect.gen(function*() {
      const store = makeStore()
      const root = yield* folderOf({ "a.pdf": "%PDF" })
      const missing = yield* Effect.provide(ingest(`${root}/nowhere`, { tenant }), store.layer)
      const other = yield* Effect.provide(ingest(`${root}/a.pdf`, { tenant }), store.layer)
      assert.deepStrictEqual(refusalsBelow(root, missing), { nowhere: "it does not exist" })
      assert.deepStrictEqual(refusalsBelow(root, other), { "a.pdf": "it is not a .md, .txt or .jsonl file" })
    }).pipe(Effect.provide(NodeContext.layer)))

  run("names a file and a folder it may not read", () =>
    Effect.gen(function*() {
      const fs = yield* FileSystem.FileSystem
      const store = makeStore()
      const root = yield* folderOf({ "closed/a.md": "no", "locked.md": "no", "open.md": "yes" })
      // The tests may run as root, whom no mode keeps out.
      const denied = (path: string) =>
        new SystemError({ reason: "PermissionDenied", module: "FileSystem", method: "open", pathOrDescriptor: path })
      const guarded: FileSystem.FileSystem = {
        ...fs,
        readFile: (path) => (path.endsWith("locked.md") ? denied(path) : fs.readFile(path)),
        readDirectory: (path, options) => (path.endsWith("closed") ? denied(path) : fs.readDirectory(path, options))
      }
      const summary = yield* ingest(root, { tenant }).pipe(
        Effect.provide(store.layer),
        Effect.provideService(FileSystem.FileSystem, guarded)
      )
      assert.deepStrictEqual([...store.kept.keys()], ["open.md"])
      assert.deepStrictEqual(refusalsBelow(root, summary), {
        closed: "it may not be read: permission denied",
        "locked.md": "it may not be read: permission denied"
      })
    }).pipe(Effect.provide(NodeContext.layer)))

  run("reads the sample corpus without a refusal", () =>
    Effect.gen(function*() {
      const store = makeStore()
      for (const name of ["news", "filings", "notes"]) {
        const path = new URL(`../../examples/corpus/${name}.jsonl`, import.meta.url).pathname
        const summary = yield* Effect.provide(ingest(path, { tenant }), store.layer)
        assert.strictEqual(summary.refused, 0)
      }
      assert.strictEqual(store.kept.size, 188)
    }).pipe(Effect.provide(NodeContext.layer)))
})
