import { assert, describe, it } from "@effect/vitest"
import * as Principal from "causeway-mcp/auth/Principal"
import * as Health from "causeway-mcp/health/Health"
import * as HealthResource from "causeway-mcp/resource/HealthResource"
import * as Server from "causeway-mcp/server/McpServer"
import * as MemoryTransport from "causeway-mcp/transport/MemoryTransport"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"

const served = (options?: HealthResource.Options) =>
  Server.layerOf({ resources: [HealthResource.make(options)] }, { name: "healthy", version: "0.0.0" }).pipe(
    Layer.provide(Health.layer([
      { name: "redis", kind: "session-store", check: Effect.void },
      { name: "documents", kind: "document-store", check: Effect.fail("secret words") }
    ])),
    Layer.provide(Logger.remove(Logger.defaultLogger))
  )

const read = (scopes?: ReadonlyArray<string>) =>
  Effect.gen(function*() {
    const client = yield* MemoryTransport.make(
      scopes === undefined ? {} : { caller: Principal.make({ id: "ada", scopes }) }
    )
    return yield* client.request("resources/read", { uri: HealthResource.uri })
  })

describe("HealthResource", () => {
  it.scoped("is the report as JSON, not to be kept", () =>
    Effect.gen(function*() {
      const result = yield* read() as Effect.Effect<unknown>
      const { contents } = result as { contents: ReadonlyArray<{ mimeType: string; text: string; uri: string }> }
      assert.deepInclude(contents[0], { mimeType: "application/json", uri: "health://report" })
      const report = JSON.parse(contents[0]?.text ?? "") as Health.Report
      assert.strictEqual(report.status, "degraded")
      assert.deepStrictEqual(report.sources.map(({ name, status }) => [name, status]), [
        ["redis", "up"],
        ["documents", "down"]
      ])
      assert.notInclude(JSON.stringify(result), "secret")
      assert.propertyVal(result, "ttlMs", 0)
    }).pipe(Effect.provide(served())))

  it.scoped("is not found by a caller without its scopes", () =>
    Effect.gen(function*() {
      assert.isTrue((yield* Effect.either(read(["tools"])))._tag === "Left")
      assert.isTrue((yield* Effect.either(read(["ops:read"])))._tag === "Right")
    }).pipe(Effect.provide(served({ scopes: ["ops:read"] }))))
})
