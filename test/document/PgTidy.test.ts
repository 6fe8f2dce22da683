import * as SqlClient from "@effect/sql/SqlClient"
import { assert, describe, it } from "@effect/vitest"
import * as PgTidy from "causeway-mcp/document/internal/PgTidy"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/TestClock"

/** A database that says how much it holds and never finishes a vacuum. */
// The tidier uses no more of a client than this.
const stuck = Object.assign(() => Effect.succeed([{ passages: 5_000 }]), {
  unsafe: () => Effect.never
}) as unknown as SqlClient.SqlClient

describe("PgTidy", () => {
  it.effect("does not hold up a writer for ever when the database does not answer", () =>
    Effect.gen(function*() {
      const writer = yield* Effect.fork(PgTidy.make().after(2_000))
      yield* TestClock.adjust("1 minute")
      assert.isNotNull(writer.unsafePoll())
      yield* Fiber.interrupt(writer)
    }).pipe(Effect.provideService(SqlClient.SqlClient, stuck)))
})
