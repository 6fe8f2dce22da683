/**
 * Writes and reads the history of users over TLS, in a process of its own: which authorities are trusted is settled
 * when it starts.
 *
 * @since 0.1.0
 */
import * as RedisSessionStore from "causeway-mcp/session/RedisSessionStore"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import * as Redacted from "effect/Redacted"
import { event, eventually } from "./redisSession.js"

const [url = "", cluster = "false"] = process.argv.slice(2)

Effect.gen(function*() {
  const store = yield* RedisSessionStore.make({ url: Redacted.make(url), cluster: cluster === "true" })
  yield* eventually(store.ping)
  let kept = 0
  for (let n = 0; n < 20; n++) {
    const user = { tenant: "acme", userId: `u${n}` }
    yield* store.append(user, event("1"))
    kept += (yield* store.history(user)).length
  }
  process.stdout.write(`${kept}\n`)
}).pipe(
  Effect.catchAll((error) => Effect.sync(() => process.stdout.write(`${String(error)}\n`))),
  Effect.scoped,
  Effect.provide(Logger.remove(Logger.defaultLogger)),
  Effect.runPromise
)
