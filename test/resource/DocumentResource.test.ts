import { assert, describe, it } from "@effect/vitest"
import * as Asking from "causeway-mcp/ask/Asking"
import * as Principal from "causeway-mcp/auth/Principal"
import * as Changes from "causeway-mcp/change/Changes"
import * as DocumentStore from "causeway-mcp/document/DocumentStore"
import * as Embedder from "causeway-mcp/embedding/Embedder"
import * as DocumentResource from "causeway-mcp/resource/DocumentResource"
import * as ResourceRegistry from "causeway-mcp/resource/ResourceRegistry"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Queue from "effect/Queue"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"

const Store = DocumentStore.layerMemory.pipe(Layer.provide(Embedder.layerHash))

const reading = Effect.gen(function*() {
  const registry = yield* ResourceRegistry.make([DocumentResource.make()])
  return (uri: string, caller: Principal.Principal = Principal.local) =>
    Effect.map(
      registry.read({
        uri,
        caller,
        requestId: 1,
        meta: {},
        progress: () => undefined,
        log: () => undefined,
        asking: { memo: Asking.nothing, responses: {}, clientCapabilities: {} }
      }),
      (result) => result._tag === "Complete" ? result.contents : []
    )
})

const sentence = (n: number) =>
  `In quarter ${n} the company sold ${n * 37} ships to ports of the north and of the south.`

const long = Array.from({ length: 90 }, (_, n) => sentence(n)).join(" ")

describe("DocumentResource.make", () => {
  it.effect("gives a document back whole, whatever passages it was cut into", () =>
    Effect.gen(function*() {
      const store = yield* DocumentStore.DocumentStore
      yield* store.index("default", [{
        id: "a/b c?",
        text: long,
        title: "Ships",
        publishedAt: "2026-11-01",
        version: 4
      }])
      assert.isAbove((yield* store.get("default", "a/b c?")).length, 2)
      const read = yield* reading
      const [content] = yield* read(DocumentResource.uri("default", "a/b c?"))
      assert(content !== undefined && "text" in content)
      assert.strictEqual(content.text.replace(/\s+/g, " "), long)
      assert.deepInclude(content._meta?.["dev.causeway/document"], {
        id: "a/b c?",
        title: "Ships",
        publishedAt: "2026-11-01T00:00:00.000Z",
        version: 4
      })
    }).pipe(Effect.provide(Store)))

  it.effect("finds nothing of another tenant, and nothing that is not there", () =>
    Effect.gen(function*() {
      const store = yield* DocumentStore.DocumentStore
      yield* store.index("other", [{ id: "secret", text: "The merger is on." }])
      const read = yield* reading
      const stranger = yield* Effect.either(read(DocumentResource.uri("other", "secret")))
      const absent = yield* Effect.either(read(DocumentResource.uri("default", "secret")))
      assert.strictEqual(stranger._tag, "Left")
      assert.deepStrictEqual(JSON.stringify(stranger).replaceAll("other", "default"), JSON.stringify(absent))
      const [own] = yield* read(DocumentResource.uri("other", "secret"), Principal.make({ id: "x", tenant: "other" }))
      assert(own !== undefined && "text" in own)
      assert.strictEqual(own.text, "The merger is on.")
    }).pipe(Effect.provide(Store)))

  it.effect("lists the caller's documents, the newest first", () =>
    Effect.gen(function*() {
      const store = yield* DocumentStore.DocumentStore
      yield* store.index("default", [
        { id: "old", text: "Old news.", title: "Old", publishedAt: "2026-01-01" },
        { id: "new", text: "New news.", publishedAt: "2026-02-01" }
      ])
      yield* store.index("other", [{ id: "theirs", text: "Their news." }])
      const registry = yield* ResourceRegistry.make([DocumentResource.make()])
      const listed = yield* registry.list(Principal.local)
      assert.deepStrictEqual(listed.map(({ uri }) => uri), ["document://default/new", "document://default/old"])
      assert.deepStrictEqual(listed.map(({ title }) => title), [undefined, "Old"])
    }).pipe(Effect.provide(Store)))
})

describe("DocumentResource.announce", () => {
  it.scopedLive("tells of each document that changes, and that the list did", () =>
    Effect.gen(function*() {
      const store = yield* DocumentStore.DocumentStore
      const changes = yield* Changes.Changes
      const heard = yield* Queue.unbounded<Changes.Event>()
      yield* Effect.acquireRelease(
        Effect.sync(() => changes.listen((event) => void heard.unsafeOffer(event))),
        (stop) => Effect.sync(stop)
      )
      const next = Queue.take(heard).pipe(Effect.timeout("5 seconds"))
      // The follower begins in its own fiber.
      yield* Effect.repeatN(Effect.yieldNow(), 20)
      yield* store.index("default", [{ id: "a", text: "First." }])
      assert.deepStrictEqual(yield* next, { _tag: "ResourceUpdated", uri: "document://default/a" })
      assert.deepStrictEqual(yield* next, { _tag: "ResourcesChanged" })
      yield* store.remove("default", ["a"])
      assert.deepStrictEqual(yield* next, { _tag: "ResourceUpdated", uri: "document://default/a" })
    }).pipe(
      Effect.provide(DocumentResource.announce.pipe(Layer.provideMerge(Layer.merge(Store, Changes.layerMemory))))
    ))

  it.scoped("says that the list changed when it goes on after a failure, since something may have been missed", () =>
    Effect.gen(function*() {
      const store = yield* DocumentStore.DocumentStore
      const changes = yield* Changes.Changes
      const heard: Array<string> = []
      changes.listen(({ _tag }) => void heard.push(_tag))
      let runs = 0
      const expired = new DocumentStore.DocumentStoreError({
        method: "changes",
        reason: new DocumentStore.Expired({ oldest: 7 })
      })
      const failing = Layer.succeed(DocumentStore.DocumentStore, {
        ...store,
        changes: () => Stream.suspend(() => runs++ === 0 ? Stream.fail(expired) : Stream.never)
      })
      yield* Layer.build(DocumentResource.announce.pipe(
        Layer.provide([failing, Layer.succeed(Changes.Changes, changes)])
      ))
      yield* TestClock.adjust("10 millis")
      assert.deepStrictEqual([runs, heard], [1, []])
      yield* TestClock.adjust("2 seconds")
      assert.deepStrictEqual([runs, heard], [2, ["ResourcesChanged"]])
    }).pipe(
      Effect.provide(Logger.replace(Logger.defaultLogger, Logger.none)),
      Effect.provide(Layer.merge(Store, Changes.layerMemory))
    ))
})
