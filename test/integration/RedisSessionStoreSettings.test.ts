import { assert, describe, it, layer } from "@effect/vitest"
import * as RedisSessionStore from "causeway-mcp/session/RedisSessionStore"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { inspect } from "node:util"
import * as RedisServer from "./redis.js"
import { collected, event, open, urlOf, user } from "./redisSession.js"

const secret = "correct-horse-battery"

RedisServer.suite("RedisSessionStore with a password", () => {
  layer(RedisServer.layer(["--requirepass", secret]), { excludeTestServices: true })((it) => {
    it.scoped("is let in by the URL's password, or by the one given beside it", () =>
      Effect.gen(function*() {
        const { port } = yield* RedisServer.RedisServer
        yield* (yield* open({ url: urlOf(port, { credentials: `:${secret}@` }) })).ping
        yield* (yield* open({ url: urlOf(port), password: Redacted.make(secret) })).ping
        yield* (yield* open({ url: urlOf(port), username: "default", password: Redacted.make(secret) })).ping
      }))

    it.scoped("says that the password is wrong, without repeating it anywhere", () => {
      const { layer, lines } = collected()
      const wrong = "wrong-p4ssword"
      return Effect.gen(function*() {
        const { port } = yield* RedisServer.RedisServer
        const store = yield* open({ url: urlOf(port, { credentials: `ada:${wrong}@` }) })
        const error = yield* Effect.flip(store.append(user, event("1")))
        assert.strictEqual(error.message, "SessionStore.append: Redis refused the user name or the password")
        assert.isFalse(error.isRetryable)
        const seen = [inspect(error, { depth: 10 }), JSON.stringify(error), String(error.stack), ...lines]
        assert.isFalse(seen.some((text) => text.includes(wrong)))
        assert.lengthOf(lines, 1)
      }).pipe(Effect.provide(layer))
    })

    it.scoped("says that a password is missing", () =>
      Effect.gen(function*() {
        const { port } = yield* RedisServer.RedisServer
        const store = yield* open({ url: urlOf(port) })
        const error = yield* Effect.flip(store.ping)
        assert.strictEqual(error.message, "SessionStore.ping: Redis asks for a password, and none is set")
      }))
  })
})

describe("RedisSessionStore, given settings it cannot use", () => {
  const urls = [
    "",
    "redis",
    "127.0.0.1:6379",
    "http://127.0.0.1:6379",
    `redis://:${secret}@`,
    `redis://:${secret}@127.0.0.1:99999`,
    `redis://:${secret}@127.0.0.1:0`,
    `redis://:${secret}%zz@127.0.0.1`,
    `redis://:${secret}@127.0.0.1/first`,
    `redis://:${secret}@127.0.0.1/0?tls=true`
  ]

  for (const url of urls) {
    it.effect(`refuses the URL ${JSON.stringify(url)} when it is built, without repeating it`, () =>
      Effect.gen(function*() {
        const built = yield* Effect.either(Effect.scoped(Layer.build(RedisSessionStore.layer({
          url: Redacted.make(url)
        }))))
        const error = Either.isLeft(built) ? built.left : assert.fail("it was built")
        assert.strictEqual(error.method, "open")
        assert.strictEqual(error.reason._tag, "Misconfigured")
        assert.isFalse(error.isRetryable)
        assert.isFalse(inspect(error, { depth: 10 }).includes(secret))
      }))
  }

  it.effect("refuses a prefix that would part a user's keys", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(Effect.scoped(RedisSessionStore.make({
        url: Redacted.make("redis://127.0.0.1"),
        keyPrefix: "{}"
      })))
      assert.strictEqual(error.message, "SessionStore.open: the session store's key prefix must not have braces")
    }))
})
