import { assert, describe, it } from "@effect/vitest"
import * as DocumentStore from "causeway-mcp/document/DocumentStore"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as TenantWall from "./tenantWall.js"

describe("DocumentStore.layerMemory", () => {
  it.effect(
    "hands nothing to another tenant and agrees with a model over 100,000 random operations",
    () =>
      Effect.gen(function*() {
        const seen = yield* TenantWall.run(100_000)
        assert.isAbove(seen.searches, 25_000)
        assert.isAbove(seen.rows, 200_000)
        assert.isAbove(seen.changes, 20_000)
      }).pipe(Effect.provide(Layer.provide(DocumentStore.layerMemory, TenantWall.embedder))),
    300_000
  )
})
