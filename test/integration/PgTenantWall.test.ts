import * as SqlClient from "@effect/sql/SqlClient"
import { assert, describe, it, layer } from "@effect/vitest"
import * as PgDocumentStore from "causeway-mcp/document/PgDocumentStore"
import * as Pglite from "causeway-mcp/document/Pglite"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Directory from "../document/directory.js"
import * as TenantWall from "../document/tenantWall.js"
import * as Consistency from "./consistency.js"
import * as Postgres from "./postgres.js"

/** Some seconds on a server and some fifteen on PGlite; more operations found no more. */
const operations = Number(process.env["OPERATIONS"] ?? 2_000)

const { missing } = Postgres
if (missing !== undefined) {
  // A reporter shows no reason for what it skips.
  process.stderr.write(`The wall between tenants on a server: ${Postgres.isRequired ? "" : "skipped, "}${missing}\n`)
  describe("the wall between tenants on a server", () => {
    it("finds a server to test", (test) => Postgres.isRequired ? assert.fail(missing) : test.skip(missing))
  })
}

const Store = PgDocumentStore.layer().pipe(Layer.provide(TenantWall.embedder))

const wall = Effect.gen(function*() {
  const seen = yield* TenantWall.run(operations)
  assert.isAbove(seen.searches, operations / 5)
  assert.isAbove(seen.rows, operations)
  assert.isAbove(seen.changes, operations / 6)
  yield* Consistency.check(yield* SqlClient.SqlClient)
})

const title = `hands nothing to another tenant and agrees with a model over ${operations} random operations`

describe("PgDocumentStore on PGlite", () => {
  const Client = Layer.unwrapScoped(Effect.map(Directory.prepared, (dataDir) => Pglite.layer({ dataDir })))
  it.live(title, () => Effect.provide(wall, Layer.provideMerge(Store, Client)), 120_000)
})

for (const { bin, name } of Postgres.found) {
  layer(Postgres.layer(bin), { timeout: "60 seconds", excludeTestServices: true })(
    `PgDocumentStore on ${name}`,
    (it) => {
      it.effect(
        title,
        () => Effect.flatMap(Postgres.Server, ({ empty }) => Effect.provide(wall, Layer.provideMerge(Store, empty))),
        120_000
      )
    }
  )
}
