import { assert, describe, it } from "@effect/vitest"
import * as PgListener from "causeway-mcp/document/PgListener"
import * as Config from "effect/Config"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"

describe("PgListener", () => {
  it.scoped("refuses what is no URL of Postgres, and does not repeat it", () =>
    Effect.gen(function*() {
      for (const url of ["", "no url", "http://user:sesame@host/db", "redis://:sesame@host"]) {
        const error = yield* Effect.flip(PgListener.make({ url: Redacted.make(url) }))
        assert.strictEqual(error._op, "InvalidData")
        assert.include(String(error), "postgres://")
        assert.notInclude(JSON.stringify(error) + String(error), "sesame")
      }
    }))

  it.scoped("builds while the server is away, and takes listeners that leave again", () =>
    Effect.gen(function*() {
      const listener = yield* PgListener.make({ url: Redacted.make("postgres://127.0.0.1:1/none") })
      const leave = listener.listen("channel", () => assert.fail("nothing can be heard"))
      leave()
    }))

  it.effect("reads its settings from a config", () =>
    Effect.gen(function*() {
      const read = Layer.build(PgListener.layerConfig({ url: Config.redacted("DATABASE_URL") })).pipe(Effect.scoped)
      const withUrl = (url: string) =>
        Effect.withConfigProvider(read, ConfigProvider.fromMap(new Map([["DATABASE_URL", url]])))
      yield* withUrl("postgresql://127.0.0.1:1/none")
      assert.strictEqual((yield* Effect.flip(withUrl("mysql://127.0.0.1/none")))._op, "InvalidData")
      assert.strictEqual((yield* Effect.flip(read))._op, "MissingData")
    }))
})
