/**
 * The fixture server as a program of its own, the way a user writes one.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { McpServer } from "causeway-mcp/server/McpServer"
import * as TransportLaws from "causeway-mcp/testing/TransportLaws"
import * as StdioTransport from "causeway-mcp/transport/StdioTransport"
import * as Layer from "effect/Layer"
import * as FixtureServer from "../transport/FixtureServer.js"

const probe = TransportLaws.makeProbe((running) => process.stderr.write(`running ${running}\n`))

const Server = Layer.succeed(
  McpServer,
  FixtureServer.make(probe, (line) => {
    /* eslint-disable no-console */
    console.log(line)
    console.info(line)
    console.debug(line)
    /* eslint-enable no-console */
    process.stdout.write(`${line}\n`)
  })
)

// Built beside another layer, the transport is built by a fiber that does not live as long as the program.
const Program = process.argv.includes("--beside")
  ? Layer.mergeAll(Layer.empty, StdioTransport.layer)
  : StdioTransport.layer

Program.pipe(Layer.provide(Server), Layer.launch, NodeRuntime.runMain)
