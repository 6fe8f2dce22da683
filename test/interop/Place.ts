/**
 * Where the official clients meet the full server: over HTTP, on the standard
 * streams of a child process, and on the SDKs' in-memory transports.
 */
import * as V2 from "@modelcontextprotocol/client"
import { StdioClientTransport as V2StdioClientTransport } from "@modelcontextprotocol/client/stdio"
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js"
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js"
import { InMemoryTransport } from "@modelcontextprotocol/sdk/inMemory.js"
import * as McpServer from "causeway-mcp/server/McpServer"
import * as HttpTransport from "causeway-mcp/transport/HttpTransport"
import * as SdkTransport from "causeway-mcp/transport/SdkTransport"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { build } from "esbuild"
import { join } from "node:path"
import { createInterface } from "node:readline"
import type { Stream } from "node:stream"
import { Readable } from "node:stream"
import { fileURLToPath } from "node:url"
import { temporary } from "../document/directory.js"
import * as FullServer from "./full-server.js"
import * as Journal from "./full/Journal.js"
import type { V1Carrier } from "./official-v1.js"

export class Place extends Context.Tag("interop/Place")<Place, {
  readonly name: "http" | "stdio" | "memory"
  /** What the handlers noted so far. */
  readonly lines: ReadonlyArray<string>
  readonly v1: Effect.Effect<V1Carrier, never, Scope.Scope>
  readonly v2: Effect.Effect<V2.Transport, never, Scope.Scope>
  /** Stops the server of the last client, where it is a process of its own. */
  readonly stop: () => void
}>() {}

const server = (lines: Array<string>): Layer.Layer<McpServer.McpServer> =>
  FullServer.layer.pipe(Layer.provide(Journal.layerArray(lines)), Layer.orDie)

/** One server for all clients, on a port of this process. */
export const layerHttp: Layer.Layer<Place> = Layer.unwrapScoped(Effect.sync(() => {
  const lines: Array<string> = []
  const open = Effect.map(
    HttpTransport.make({ port: 0 }),
    ({ url }): Context.Tag.Service<Place> => ({
      name: "http",
      lines,
      v1: Effect.sync(() => new StreamableHTTPClientTransport(new URL(url)) as V1Carrier),
      v2: Effect.sync(() => new V2.StreamableHTTPClientTransport(new URL(url))),
      stop: () => {}
    })
  )
  return Layer.scoped(Place, Effect.orDie(open)).pipe(Layer.provide(server(lines)))
}))

/** One server for all clients, and a linked pair of carriers for each. */
export const layerMemory: Layer.Layer<Place> = Layer.unwrapScoped(Effect.sync(() => {
  const lines: Array<string> = []
  const open = Effect.map(McpServer.McpServer, (server): Context.Tag.Service<Place> => {
    const linked = <C extends V1Carrier>([ours, theirs]: readonly [V1Carrier, C]) =>
      Effect.as(
        Effect.orDie(Effect.provideService(SdkTransport.make(ours), McpServer.McpServer, server)),
        theirs
      )
    return {
      name: "memory",
      lines,
      v1: Effect.suspend(() => linked(InMemoryTransport.createLinkedPair())),
      v2: Effect.suspend(() => {
        const [ours, theirs] = V2.InMemoryTransport.createLinkedPair()
        return Effect.as(linked([ours as V1Carrier, ours as V1Carrier]), theirs)
      }),
      stop: () => {}
    }
  })
  return Layer.effect(Place, open).pipe(Layer.provide(server(lines)))
}))

/** The program as one file, which starts in a fraction of the time that its modules take. */
const bundle = Effect.gen(function*() {
  const directory = yield* temporary
  const outfile = join(directory, "full-program.mjs")
  yield* Effect.promise(() =>
    build({
      entryPoints: [fileURLToPath(new URL("./full-program.ts", import.meta.url))],
      outfile,
      bundle: true,
      platform: "node",
      format: "esm",
      // Nothing asks for it here, and it is half of the file.
      external: ["@effect/platform-node/NodeHttpServer"],
      banner: { js: `import { createRequire } from "node:module"; const require = createRequire(import.meta.url)` }
    })
  )
  return outfile
})

const stdio = Effect.map(bundle, (program): Context.Tag.Service<Place> => {
  const lines: Array<string> = []
  const settings = { command: process.execPath, args: [program, "--stdio"], stderr: "pipe" as const }
  let started: { readonly pid: number | null } | undefined
  const read = (stderr: Stream | null): void => {
    if (!(stderr instanceof Readable)) throw new Error("there is no standard error to read")
    createInterface({ input: stderr }).on("line", (line) => {
      if (line.startsWith(Journal.mark)) lines.push(line.slice(Journal.mark.length))
    })
  }
  return {
    name: "stdio",
    lines,
    v1: Effect.sync(() => {
      const carrier = new StdioClientTransport(settings)
      read(carrier.stderr)
      started = carrier
      return carrier as V1Carrier
    }),
    v2: Effect.sync(() => {
      const carrier = new V2StdioClientTransport(settings)
      read(carrier.stderr)
      started = carrier
      return carrier
    }),
    stop: () => {
      const pid = started?.pid
      if (pid !== undefined && pid !== null) process.kill(pid, "SIGTERM")
    }
  }
})

/** A process for each client. */
export const layerStdio: Layer.Layer<Place> = Layer.scoped(Place, stdio)
