import { assert, describe, it } from "@effect/vitest"
import type { Document } from "causeway-mcp/document/Document"
import * as DocumentStore from "causeway-mcp/document/DocumentStore"
import * as SnapshotDocumentStore from "causeway-mcp/document/SnapshotDocumentStore"
import * as Embedder from "causeway-mcp/embedding/Embedder"
import * as DocumentStoreLaws from "causeway-mcp/testing/DocumentStoreLaws"
import * as Config from "effect/Config"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"
import * as Fs from "node:fs"
import * as Path from "node:path"
import * as Directory from "./directory.js"

const file = Effect.map(Directory.temporary, (folder) => Path.join(folder, "deep", "index.snapshot"))

const layer = (path: string) => Layer.provide(SnapshotDocumentStore.layer({ path }), Embedder.layerHash)

/** Gives files and other fibers a turn. */
const everyoneElse = Effect.promise(() => new Promise<void>((resolve) => setImmediate(resolve)))

/** Runs with the store open, and closes it. */
const opened = <A, E>(path: string, use: (store: DocumentStore.DocumentStore["Type"]) => Effect.Effect<A, E>) =>
  Effect.provide(Effect.flatMap(DocumentStore.DocumentStore, use), layer(path))

const refusal = (path: string, given = layer(path)) => Effect.flip(Effect.scoped(Effect.asVoid(Layer.build(given))))

const long = Array.from(
  { length: 60 },
  (_, n) => `Paragraph ${n} on heron${n}. ${"It goes on for a while. ".repeat(40)}`
)

const documents: ReadonlyArray<Document> = [
  { id: "plain", text: "A stork." },
  {
    id: "full",
    text: "Ünïcödé 日本語 🦜 and \"quotes\".",
    title: "Storks \\ and others",
    uri: "https://example.com/a?b=c",
    publishedAt: "2026-11-01",
    version: 9_007_199_254_740_991,
    metadata: { company: "Acme", year: 2026, share: 0.1, audited: true, ["__proto__"]: "own" }
  },
  { id: "long", text: long.join("\n\n"), version: 0 },
  { id: "wordless", text: "The of and." }
]

const everything = (store: DocumentStore.DocumentStore["Type"], tenant: string) =>
  Effect.gen(function*() {
    const embedder = yield* Embedder.Embedder
    const [vector] = yield* embedder.embed(["a stork and heron7"])
    return {
      list: yield* store.list(tenant, { limit: 1_000 }),
      passages: yield* Effect.forEach(documents, ({ id }) => store.get(tenant, id)),
      size: yield* store.size(tenant),
      hits: yield* store.search({ tenant, text: "stork heron7 heron8", vector, limit: 100 })
    }
  }).pipe(Effect.provide(Embedder.layerHash))

describe("SnapshotDocumentStore.layer", () => {
  for (const law of DocumentStoreLaws.laws) {
    it.scoped(
      law.name,
      () =>
        Effect.flatMap(
          file,
          (path) =>
            Effect.provide(law.check, Layer.provideMerge(SnapshotDocumentStore.layer({ path }), Embedder.layerHash))
        )
    )
  }

  it.scoped("starts where the last one ended, to the bit", () =>
    Effect.gen(function*() {
      const path = yield* file
      const before = yield* opened(path, (store) =>
        Effect.gen(function*() {
          yield* store.index("t", documents)
          yield* store.index("other tenant ü", [{ id: "plain", text: "An otter." }])
          yield* store.index("gone", [{ id: "plain", text: "A vole." }])
          yield* store.remove("gone", ["plain"])
          return yield* everything(store, "t")
        }))
      assert.isAbove(before.hits.length, 3)
      assert.isAbove(before.passages[2]?.length ?? 0, 20)
      const after = yield* opened(path, (store) =>
        Effect.gen(function*() {
          assert.deepStrictEqual(yield* store.size("gone"), { documents: 0, passages: 0, revision: 2 })
          assert.strictEqual((yield* store.get("other tenant ü", "plain"))[0]?.text, "An otter.")
          return yield* everything(store, "t")
        }))
      assert.deepStrictEqual(after, before)
      assert.deepStrictEqual(Fs.readdirSync(Path.dirname(path)), ["index.snapshot"])
    }))

  it.scoped("goes on with versions, fingerprints, revisions and changes", () =>
    Effect.gen(function*() {
      const path = yield* file
      yield* opened(path, (store) => store.index("t", documents))
      yield* opened(path, (store) =>
        Effect.gen(function*() {
          const again = yield* store.index("t", documents)
          assert.deepStrictEqual(again.map(({ status }) => status), Array(4).fill("unchanged"))
          assert.deepStrictEqual(
            (yield* store.index("t", [{ id: "full", text: "Late.", version: 1 }]))[0]?.status,
            "outdated"
          )
          yield* store.remove("t", ["plain"])
          const changes = yield* Stream.runCollect(Stream.take(store.changes({ tenant: "t", after: 2 }), 3))
          assert.deepStrictEqual([...changes].map(({ documentId, kind, revision }) => [revision, kind, documentId]), [
            [3, "indexed", "long"],
            [4, "indexed", "wordless"],
            [5, "removed", "plain"]
          ])
        }))
    }))

  it.scoped("writes nothing when nothing changed, and in the background when something did", () =>
    Effect.gen(function*() {
      const path = yield* file
      yield* opened(path, (store) =>
        Effect.gen(function*() {
          yield* TestClock.adjust("5 minutes")
          assert.isFalse(Fs.existsSync(path))
          yield* store.index("t", [{ id: "a", text: "A stork." }])
          assert.isFalse(Fs.existsSync(path))
          yield* TestClock.adjust("1 minute")
          while (!Fs.existsSync(path)) yield* everyoneElse
        }))
      const before = Fs.statSync(path)
      yield* opened(path, (store) => store.search({ tenant: "t", text: "stork", limit: 1 }))
      assert.strictEqual(Fs.statSync(path).ino, before.ino)
    }))

  it.scoped("holds what was true when a snapshot was begun, whatever was written meanwhile", () =>
    Effect.gen(function*() {
      const path = yield* file
      const copy = `${path}.copy`
      const numbers = Array.from({ length: 400 }, (_, n) => n)
      const batch = (turn: number) =>
        numbers.map((n) => ({
          id: `d${n}`,
          text: `Stork ${n} of turn${turn}. ${"It goes on. ".repeat(60)}`,
          version: turn
        }))
      yield* opened(path, (store) =>
        Effect.gen(function*() {
          yield* store.index("t", batch(1))
          yield* TestClock.adjust("1 minute")
          for (let turn = 2; !Fs.existsSync(path); turn++) {
            yield* store.index("t", batch(turn).slice(0, 200))
            yield* store.remove("t", ["d399", "d398"])
            yield* store.index("t", batch(turn).slice(398))
          }
          Fs.copyFileSync(path, copy)
        }))
      yield* opened(copy, (store) =>
        Effect.gen(function*() {
          assert.deepStrictEqual(yield* store.size("t"), { documents: 400, passages: 400, revision: 400 })
          const listed = yield* store.list("t", { limit: 1_000 })
          assert.deepStrictEqual(new Set(listed.map(({ version }) => version)), new Set([1]))
          const embedder = yield* Embedder.Embedder
          const [vector] = yield* embedder.embed([`Stork 7 of turn1. ${"It goes on. ".repeat(60)}`])
          const [hit] = yield* store.search({ tenant: "t", text: "", vector, limit: 1 })
          assert.strictEqual(hit?.passage.documentId, "d7")
          assert.isAbove(hit?.signals.cosine ?? 0, 0.999)
        }).pipe(Effect.provide(Embedder.layerHash)))
    }))

  it.scoped("refuses a file with any bit flipped, cut off anywhere or with anything behind it, and leaves it", () =>
    Effect.gen(function*() {
      const path = yield* file
      yield* opened(
        path,
        (store) => store.index("t", [...documents.slice(0, 2), { id: "x", text: "An ibex.", version: 3 }])
      )
      const whole = Fs.readFileSync(path)
      const flipped = Array.from({ length: whole.length }, (_, at) => at).filter((at) => at < 200 || at % 37 === 0)
      const spoilt = [
        ...flipped.map((at) => {
          const bytes = Buffer.from(whole)
          bytes.writeUInt8(bytes.readUInt8(at) ^ (1 << (at % 8)), at)
          return bytes
        }),
        ...[0, 1, 11, 12, 13, 40, 99, whole.length >> 1, whole.length - 33, whole.length - 1].map((length) =>
          whole.subarray(0, length)
        ),
        Buffer.concat([whole, Buffer.from([0])]),
        Buffer.concat([whole, whole.subarray(12)]),
        Buffer.from("{\"documents\":[]}")
      ]
      for (const bytes of spoilt) {
        Fs.writeFileSync(path, bytes)
        const error = yield* refusal(path)
        assert.strictEqual(error._tag, "SnapshotError")
        assert.match(error.message, /is damaged|of format/)
        assert.isTrue(Fs.readFileSync(path).equals(bytes))
      }
      Fs.writeFileSync(path, whole)
      assert.strictEqual((yield* opened(path, (store) => store.size("t"))).documents, 3)
    }))

  it.scoped("refuses a file of a later program, and one of another embedder's vectors", () =>
    Effect.gen(function*() {
      const path = yield* file
      yield* opened(path, (store) => store.index("t", documents))
      const other = Layer.succeed(Embedder.Embedder, {
        id: "another-384",
        dimensions: 384,
        embed: (texts) => Effect.succeed(texts.map(() => new Float32Array(384)))
      })
      const before = Fs.readFileSync(path)
      const foreign = yield* refusal(path, Layer.provide(SnapshotDocumentStore.layer({ path }), other))
      assert.match(foreign.message, /holds vectors of the embedder causeway-hash-384-v1.*this program uses another-384/)
      assert.isTrue(Fs.readFileSync(path).equals(before))
      const later = Buffer.from(before)
      later.writeUInt32LE(3, 8)
      Fs.writeFileSync(path, later)
      assert.match((yield* refusal(path)).message, /is of format 3, which a later version/)
    }))

  it.scoped("lets one program at a time have a file, under whatever name", () =>
    Effect.gen(function*() {
      const path = yield* file
      yield* opened(path, (store) => store.index("t", documents))
      const link = `${path}.link`
      Fs.symlinkSync(path, link)
      yield* opened(path, () =>
        Effect.gen(function*() {
          assert.match((yield* refusal(path)).message, /is in use by process \d+/)
          assert.match((yield* refusal(link)).message, /is in use by process \d+/)
        }))
      assert.strictEqual((yield* opened(link, (store) => store.size("t"))).documents, 4)
    }))

  it.scoped("says why a file cannot be read, and why none can be made", () =>
    Effect.gen(function*() {
      const folder = yield* Directory.temporary
      assert.match((yield* refusal(folder)).message, /cannot be read/)
      Fs.writeFileSync(Path.join(folder, "file"), "")
      assert.match((yield* refusal(Path.join(folder, "file", "x"))).message, /has no folder that can be made/)
    }))

  it.scoped("logs a snapshot that cannot be written, and tries again", () =>
    Effect.gen(function*() {
      const path = yield* file
      const logged: Array<unknown> = []
      const logger = Logger.replace(Logger.defaultLogger, Logger.make(({ message }) => void logged.push(message)))
      yield* Effect.provide(
        Effect.gen(function*() {
          const store = yield* DocumentStore.DocumentStore
          yield* store.index("t", documents)
          Fs.mkdirSync(`${path}.new`)
          yield* TestClock.adjust("1 minute")
          while (logged.length === 0) yield* everyoneElse
          assert.isFalse(Fs.existsSync(path))
          Fs.rmSync(`${path}.new`, { recursive: true, force: true })
        }),
        Layer.provideMerge(layer(path), logger)
      )
      assert.include(JSON.stringify(logged), "tried again")
      assert.strictEqual((yield* opened(path, (store) => store.size("t"))).documents, 4)
    }))

  it.scoped("reads its settings from the configuration", () =>
    Effect.gen(function*() {
      const path = yield* file
      const configured = SnapshotDocumentStore.layerConfig({
        path: Config.string("FILE"),
        every: Config.duration("EVERY")
      })
      yield* Effect.flatMap(DocumentStore.DocumentStore, (store) => store.index("t", documents)).pipe(
        Effect.provide(Layer.provide(configured, Embedder.layerHash)),
        Effect.withConfigProvider(ConfigProvider.fromMap(new Map([["FILE", path], ["EVERY", "10 seconds"]])))
      )
      assert.isTrue(Fs.existsSync(path))
    }))

  it.scopedLive("keeps the last whole snapshot when it is killed at any moment", () =>
    Effect.gen(function*() {
      const path = yield* file
      let safe = 0
      for (let round = 0; round < 4; round++) {
        const child = yield* Directory.program("snapshot", path)
        const line = Effect.map(child.line, (text = "ended 0") => text.split(" "))
        const [, held] = yield* line
        assert.isAtLeast(Number(held), safe)
        for (let finished = 0; finished < 2 + round;) {
          const [word, count] = yield* line
          assert.notStrictEqual(word, "ended")
          if (word !== "safe") continue
          finished++
          safe = Number(count)
        }
        for (let [word] = yield* line; word !== "writing"; [word] = yield* line) assert.notStrictEqual(word, "ended")
        yield* child.kill
        const left = yield* opened(path, (store) =>
          Effect.gen(function*() {
            const size = yield* store.size("t")
            assert.strictEqual(size.revision, size.documents)
            assert.strictEqual((yield* store.get("t", `d${size.documents - 1}`))[0]?.version, size.documents - 1)
            return size.documents
          }))
        assert.isAtLeast(left, safe)
        safe = left
      }
    }), 120_000)
})
