/**
 * Opens a directory, says so and holds it until it is killed.
 *
 * @since 0.1.0
 */
import * as Pglite from "causeway-mcp/document/Pglite"
import * as Effect from "effect/Effect"

await Effect.gen(function*() {
  yield* Pglite.make({ dataDir: process.argv[2] ?? "" })
  process.stdout.write("open\n")
  setInterval(() => undefined, 1_000)
  yield* Effect.never
}).pipe(Effect.scoped, Effect.runPromise)
