import { describe, it } from "@effect/vitest"
import { InMemoryTransport } from "@modelcontextprotocol/sdk/inMemory.js"
import type { McpServer } from "causeway-mcp/server/McpServer"
import * as TransportLaws from "causeway-mcp/testing/TransportLaws"
import * as TransportPeers from "causeway-mcp/testing/TransportPeers"
import * as HttpTransport from "causeway-mcp/transport/HttpTransport"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { fileURLToPath } from "node:url"
import * as FixtureServer from "../transport/FixtureServer.js"
import * as HttpRouteServer from "./HttpRouteServer.js"

const suite = (
  name: string,
  open: (probe: TransportLaws.Probe) => Effect.Effect<TransportLaws.Peer, unknown, McpServer | Scope.Scope>
) =>
  describe(name, () => {
    for (const law of TransportLaws.laws) {
      it.scopedLive(law.name, () => {
        const probe = TransportLaws.makeProbe()
        return law.check(Effect.provide(open(probe), FixtureServer.layer(probe)))
      })
    }
  })

const program = fileURLToPath(new URL("./stdio-fixture.ts", import.meta.url))

suite("MemoryTransport", TransportPeers.memory)
suite("StdioTransport on streams", TransportPeers.streams)
suite("StdioTransport on streams, seven bytes at a time", (probe) => TransportPeers.streams(probe, { slice: 7 }))
suite("StdioTransport in a child process", () => TransportPeers.child(process.execPath, ["--import", "tsx", program]))
suite("SdkTransport", (probe) => TransportPeers.sdk(probe, InMemoryTransport.createLinkedPair()))
suite(
  "HttpTransport",
  (probe) => Effect.flatMap(HttpTransport.make({ port: 0 }), ({ url }) => TransportPeers.http(probe, url))
)
suite(
  "HttpTransport.route on a platform server",
  (probe) => Effect.flatMap(HttpRouteServer.start(), ({ url }) => TransportPeers.http(probe, url))
)
