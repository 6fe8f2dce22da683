/**
 * Measures the document store in memory: documents indexed per second, memory
 * per 10,000 passages, searches, replacing, listing and the longest the event
 * loop was held.
 *
 *   node --expose-gc --import tsx test/bench/memory-search.ts [passages] [queries] [hash|dense] [snapshot]
 *
 * `hash` is the embedded embedder, whose queries are mostly zeros; `dense` gives
 * every dimension a value, as a model does. On a busy machine the processor time
 * and the best time say more than the others. With `snapshot`, what is indexed is
 * written to a file and read again, too.
 *
 * @since 0.1.0
 */
import * as DocumentStore from "causeway-mcp/document/DocumentStore"
import * as Embedder from "causeway-mcp/embedding/Embedder"
import * as HashEmbedder from "causeway-mcp/embedding/HashEmbedder"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"
import { monitorEventLoopDelay } from "node:perf_hooks"

const passages = Number(process.argv[2] ?? 10_000)
const queries = Number(process.argv[3] ?? 200)
const kind = process.argv[4] === "dense" ? "dense" : "hash"

/** The same numbers every time. */
const generator = (seed: number) => {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 4_294_967_296
  }
}
const random = generator(42)

/** A word as common as in prose once stop words are gone: the one of rank r about 1/r of the time, r from 50 to 30,000. */
const word = (): string => `w${Math.floor(50 * 600 ** random()).toString(36)}q`

const text = (length: number): string => Array.from({ length }, word).join(" ")

/** About 1,000 characters, some more, some less: one passage. */
const document = (n: number) => ({
  id: `document-${n}`,
  title: text(5),
  text: text(100 + Math.floor(90 * random())),
  publishedAt: new Date(1_700_000_000_000 + (n % 1000) * 86_400_000).toISOString(),
  metadata: { group: n % 20 }
})

const dense = Layer.succeed(Embedder.Embedder, {
  id: "bench-dense-384",
  dimensions: 384,
  embed: (texts) =>
    Effect.sync(() =>
      texts.map((text) => {
        const next = generator(text.length * 31 + text.charCodeAt(1) * 7 + text.charCodeAt(text.length - 3))
        const vector = Float32Array.from({ length: 384 }, () => next() + next() + next() - 1.5)
        const length = Math.sqrt(vector.reduce((sum, value) => sum + value * value, 0))
        return vector.map((value) => value / length)
      })
    )
})

const embedder = kind === "dense" ? dense : Embedder.layerHash

const quantile = (values: ReadonlyArray<number>, q: number): string => {
  const sorted = [...values].sort((a, b) => a - b)
  return (sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? 0).toFixed(2)
}

const settled = async (): Promise<NodeJS.MemoryUsage> => {
  for (let n = 0; n < 4; n++) {
    globalThis.gc?.()
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  return process.memoryUsage()
}

const megabytes = (bytes: number): string => (bytes / 1_048_576).toFixed(0)

const program = Effect.gen(function*() {
  const store = yield* DocumentStore.DocumentStore
  const embedding = yield* Embedder.Embedder
  const before = yield* Effect.promise(settled)
  const started = performance.now()
  for (let at = 0; at < passages; at += 500) {
    yield* store.index("tenant", Array.from({ length: Math.min(500, passages - at) }, (_, n) => document(at + n)))
  }
  const seconds = (performance.now() - started) / 1000
  const after = yield* Effect.promise(settled)
  const grown = {
    heap: after.heapUsed - before.heapUsed,
    buffers: after.external - before.external,
    rss: after.rss - before.rss
  }
  console.log(
    `${kind}, ${JSON.stringify(yield* store.size("tenant"))}: indexed in ${seconds.toFixed(1)} s, ` +
      `${(passages / seconds).toFixed(0)}/s (${HashEmbedder.dimensions} dimensions)`
  )
  console.log(
    `memory: heap ${megabytes(grown.heap)} MB, buffers ${megabytes(grown.buffers)} MB, ` +
      `resident ${megabytes(grown.rss)} MB; per 10,000 passages ` +
      `${megabytes((grown.heap + grown.buffers) / passages * 10_000)} MB`
  )
  const arms = ["both", "words", "vector"] as const
  for (const [name, filter] of [["open", undefined], ["1 of 20", { metadata: { group: 3 } }]] as const) {
    for (const arm of arms) {
      for (const length of arm === "both" ? [3, 6, 12] : [6]) {
        const times: Array<number> = []
        let processor = 0
        for (let n = -20; n < queries; n++) {
          const question = text(length)
          const [vector] = yield* embedding.embed([question])
          const query = {
            tenant: "tenant",
            text: arm === "vector" ? "" : question,
            vector: arm === "words" ? undefined : vector,
            limit: 10,
            filter
          }
          const from = performance.now()
          const before = process.cpuUsage()
          yield* store.search(query)
          if (n < 0) continue
          times.push(performance.now() - from)
          const used = process.cpuUsage(before)
          processor += (used.user + used.system) / 1_000
        }
        console.log(
          `search by ${arm}, ${length} words, ${name}: ` +
            `p50 ${quantile(times, 0.5)}, p95 ${quantile(times, 0.95)}, p99 ${quantile(times, 0.99)}, best ${
              quantile(times, 0)
            } ms, ` +
            `processor ${(processor / queries).toFixed(2)} ms`
        )
      }
    }
  }
  const turns = Math.min(passages, 20_000)
  const others = Array.from({ length: turns }, (_, n) => document(n))
  yield* Effect.promise(settled)
  const loop = monitorEventLoopDelay({ resolution: 1 })
  loop.enable()
  const replacing = performance.now()
  for (let at = 0; at < turns; at += 500) yield* store.index("tenant", others.slice(at, at + 500))
  console.log(
    `replaced ${turns}: ${(turns / (performance.now() - replacing) * 1000).toFixed(0)}/s, ` +
      `event loop held at most ${(loop.max / 1e6).toFixed(1)} ms, p99 ${(loop.percentile(99) / 1e6).toFixed(1)} ms`
  )
  loop.reset()
  const large = text(280_000)
  loop.reset()
  const from = performance.now()
  const used = process.cpuUsage()
  yield* store.index("tenant", [{ id: "large", text: large }])
  const { system, user } = process.cpuUsage(used)
  console.log(
    `one of ${(large.length / 1_048_576).toFixed(2)} MiB: ${(performance.now() - from).toFixed(0)} ms, ` +
      `processor ${((system + user) / 1_000).toFixed(0)} ms, event loop held at most ${(loop.max / 1e6).toFixed(1)} ms`
  )
  loop.reset()
  const removing = performance.now()
  const gone = Math.floor(passages * 0.9)
  for (let at = 0; at < gone; at += 100) {
    yield* store.remove("tenant", Array.from({ length: Math.min(100, gone - at) }, (_, n) => `document-${at + n}`))
    yield* Effect.promise(() => new Promise<void>((resolve) => setImmediate(resolve)))
  }
  loop.disable()
  const left = yield* Effect.promise(settled)
  console.log(
    `removed ${gone}: ${(gone / (performance.now() - removing) * 1000).toFixed(0)}/s, event loop held at most ` +
      `${(loop.max / 1e6).toFixed(1)} ms; left: heap ${megabytes(left.heapUsed - before.heapUsed)} MB, ` +
      `buffers ${megabytes(left.external - before.external)} MB`
  )
  const times: Array<number> = []
  for (let n = 0; n < 20; n++) {
    const from = performance.now()
    yield* store.list("tenant", { limit: 100 })
    times.push(performance.now() - from)
  }
  console.log(`list of 100: p50 ${quantile(times, 0.5)} ms`)
})

const snapshot = Effect.gen(function*() {
  const SnapshotDocumentStore = yield* Effect.promise(() => import("causeway-mcp/document/SnapshotDocumentStore"))
  const folder = Fs.mkdtempSync(Path.join(Os.tmpdir(), "causeway-bench-"))
  const path = Path.join(folder, "index.snapshot")
  const open = Layer.provide(SnapshotDocumentStore.layer({ path }), embedder)
  const loop = monitorEventLoopDelay({ resolution: 1 })
  let ended = 0
  const filled = Effect.gen(function*() {
    const store = yield* DocumentStore.DocumentStore
    for (let at = 0; at < passages; at += 500) {
      yield* store.index("tenant", Array.from({ length: Math.min(500, passages - at) }, (_, n) => document(at + n)))
    }
    loop.enable()
    ended = performance.now()
  })
  yield* Effect.provide(filled, open)
  console.log(
    `snapshot of ${passages} written in ${((performance.now() - ended) / 1000).toFixed(2)} s, ` +
      `${megabytes(Fs.statSync(path).size)} MB, event loop held at most ${(loop.max / 1e6).toFixed(1)} ms, ` +
      `p99 ${(loop.percentile(99) / 1e6).toFixed(1)} ms`
  )
  loop.reset()
  const opening = performance.now()
  const before = process.cpuUsage()
  const size = yield* Effect.provide(Effect.flatMap(DocumentStore.DocumentStore, (store) => store.size("tenant")), open)
  const { system, user } = process.cpuUsage(before)
  console.log(
    `read in ${((performance.now() - opening) / 1000).toFixed(2)} s, processor ${
      ((system + user) / 1e6).toFixed(2)
    } s, event loop held at most ${(loop.max / 1e6).toFixed(1)} ms, p99 ${
      (loop.percentile(99) / 1e6).toFixed(1)
    } ms: ` +
      JSON.stringify(size)
  )
  Fs.rmSync(folder, { recursive: true, force: true })
})

await Effect.runPromise(Effect.provide(program, Layer.provideMerge(DocumentStore.layerMemory, embedder)))
if (process.argv[5] === "snapshot") await Effect.runPromise(snapshot)
