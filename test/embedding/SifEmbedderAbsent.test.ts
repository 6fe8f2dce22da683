import { assert, describe, it } from "@effect/vitest"
import * as Embedder from "causeway-mcp/embedding/Embedder"
import * as SifEmbedder from "causeway-mcp/embedding/SifEmbedder"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import type * as FsPromises from "node:fs/promises"
import { vi } from "vitest"

const files = vi.hoisted(() => ({ areThere: true }))

vi.mock("node:fs/promises", async (original) => {
  const module = await original<typeof FsPromises>()
  return {
    ...module,
    readFile: (path: URL) => files.areThere ? module.readFile(path) : Promise.reject(new Error("ENOENT"))
  }
})

/** Which embedder the layer gives, and what it logs meanwhile. */
const idWith = (areThere: boolean) =>
  Effect.suspend(() => {
    files.areThere = areThere
    const logged: Array<string> = []
    const logger = Logger.make(({ logLevel, message }) => {
      logged.push(`${logLevel.label} ${String(message)}`)
    })
    return Effect.map(Embedder.Embedder, ({ id }) => ({ id, logged })).pipe(
      Effect.provide(Layer.fresh(SifEmbedder.layerOrHash)),
      Effect.provide(Logger.replace(Logger.defaultLogger, logger))
    )
  })

describe("SifEmbedder.layerOrHash", () => {
  it.effect("is the embedder with meaning where the table is there", () =>
    Effect.gen(function*() {
      const { id, logged } = yield* idWith(true)
      assert.match(id, /^causeway-sif-384-v1-/)
      assert.deepStrictEqual(logged, [])
    }))

  it.effect("is the embedder by spelling, and says so, where the table was left out", () =>
    Effect.gen(function*() {
      const { id, logged } = yield* idWith(false)
      assert.strictEqual(id, "causeway-hash-384-v1")
      assert.strictEqual(logged.length, 1)
      assert.match(logged[0] ?? "", /^WARN .*spelling alone.*left out of the installation/s)
    }))
})
