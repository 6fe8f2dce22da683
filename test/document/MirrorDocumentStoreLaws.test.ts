import { layer } from "@effect/vitest"
import * as DocumentStore from "causeway-mcp/document/DocumentStore"
import * as Embedder from "causeway-mcp/embedding/Embedder"
import * as DocumentStoreLaws from "causeway-mcp/testing/DocumentStoreLaws"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Mirrored from "./mirrored.js"

/** Every search waits until memory answers it, but of a tenant that has nothing to copy. */
const Insisting = Layer.scoped(
  DocumentStore.DocumentStore,
  Effect.gen(function*() {
    const below = yield* Mirrored.below()
    const mirror = yield* Mirrored.over(below, { maxTenants: 1_000 })
    const patiently: Mirrored.Store["search"] = (query) =>
      Effect.gen(function*() {
        for (let n = 0; n < 5_000; n++) {
          const before = below.calls.search
          const hits = yield* mirror.search(query)
          const { revision } = yield* below.inner.size(query.tenant)
          if (below.calls.search === before || revision === 0) return hits
          yield* Effect.sleep("1 millis")
        }
        return yield* Effect.dieMessage("memory never answered")
      })
    return { ...mirror, search: patiently }
  })
)

layer(Layer.provideMerge(Insisting, Embedder.layerHash), { excludeTestServices: true })(
  "MirrorDocumentStore.layer over memory, as memory answers",
  (it) => {
    for (const law of DocumentStoreLaws.laws) it.effect(law.name, () => law.check)
  }
)
