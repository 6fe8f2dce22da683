/**
 * Indexes a folder or a file: `npm run ingest -- PATH [--tenant T] [--data-dir D]`,
 * or through a running server with `--server URL`.
 */
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Arguments from "./arguments.js"
import { print } from "./arguments.js"
import { Documents } from "./documents.js"
import * as Progress from "./ingest/progress.js"
import * as Remote from "./ingest/remote.js"
import * as Run from "./ingest/run.js"
import { interrupted } from "./interruption.js"
import { explain } from "./settings.js"

const usage = `Indexes Markdown, text and JSONL files.

  npm run ingest -- PATH [--tenant NAME] [--data-dir FOLDER]
  npm run ingest -- PATH --server URL

  PATH        a folder, or one .md, .txt or .jsonl file
  --tenant    whose documents they are; "default" unless given
  --data-dir  where the embedded database keeps its files; DATA_DIR, else .causeway
  --server    send the documents to this MCP server, for example http://127.0.0.1:3333/mcp;
              MCP_TOKEN, when set, is sent as a bearer token

A JSONL line is { "id", "text", "title"?, "uri"?, "publishedAt"?, "version"?, "metadata"? }. Documents
that are indexed already are left as they are, so running it again continues where it was stopped.
`

const localServer = "http://127.0.0.1:3333/mcp"

interface Given {
  readonly path: string
  readonly tenant: string
  readonly dataDir: string | undefined
  readonly server: string | undefined
}

const given = Arguments.read(
  usage,
  { tenant: { type: "string" }, "data-dir": { type: "string" }, server: { type: "string" } },
  ({ "data-dir": dataDir, server, tenant }, [path, ...rest]): Given | string => {
    if (path === undefined || rest.length > 0) return "Give exactly one PATH."
    return server !== undefined && (tenant !== undefined || dataDir !== undefined)
      ? "With --server the server decides the tenant and the store: leave --tenant and --data-dir out."
      : { path, tenant: tenant ?? "default", dataDir, server }
  }
)

const plural = (count: number, noun: string): string => `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`

const describe = (summary: Run.Summary): string => {
  const unnamed = summary.refused - summary.refusals.length
  return [
    ...summary.refusals.map(({ reason, where }) => `refused  ${where}: ${reason}`),
    ...(unnamed > 0 ? [`refused  ${plural(unnamed, "more item")}`] : []),
    `${plural(summary.indexed, "document")} indexed, ${summary.unchanged.toLocaleString("en")} unchanged, ` +
    (summary.outdated > 0 ? `${summary.outdated.toLocaleString("en")} older than what is stored, ` : "") +
    `${summary.refused.toLocaleString("en")} refused; ${plural(summary.passages, "passage")}`,
    ...(summary.otherFiles > 0 ? [`${plural(summary.otherFiles, "file")} of another kind left out`] : []),
    ...(summary.links > 0 ? [`${plural(summary.links, "symbolic link")} not followed`] : []),
    ...(summary.isStopped ? ["Stopped before the end; run it again to continue."] : [])
  ].map((line) => `${line}\n`).join("")
}

/** 0 when something is in the index, 1 when nothing could be read, 130 when it was stopped. */
const exitCode = (summary: Run.Summary): number => {
  if (summary.isStopped) return 130
  return summary.indexed + summary.unchanged + summary.outdated > 0 ? 0 : 1
}

const describeFailure = (error: unknown): string => {
  const message = explain(error)
  const isHeld = /is in use by process|is being opened by another process/.test(message)
  return isHeld
    ? `${message}\nIf that is a running server, send the documents to it: --server ${localServer}\n`
    : `${message}\n`
}

/** Starts the clock when the store is open, so that opening it does not count as slow reading. */
const options = Effect.map(
  Progress.make({ isTerminal: process.stderr.isTTY === true, write: (text) => process.stderr.write(text) }),
  (progress) => ({ progress, stop: interrupted("Stopping after the batch in flight") })
)

const toServer = (server: string, path: string) =>
  Effect.gen(function*() {
    const write = yield* Remote.connect(server, process.env["MCP_TOKEN"] || undefined)
    return yield* Run.ingestWith(write, path, yield* options)
  }).pipe(Effect.scoped)

const toStore = ({ dataDir, path, tenant }: Given) => {
  const settings = ConfigProvider.orElse(
    ConfigProvider.fromMap(new Map(dataDir === undefined ? [] : [["DATA_DIR", dataDir]])),
    () => ConfigProvider.fromEnv()
  )
  return Effect.flatMap(options, (all) => Run.ingest(path, { ...all, tenant })).pipe(
    Effect.provide(Documents),
    Effect.withConfigProvider(settings)
  )
}

const ingest = (given: Given) =>
  Effect.gen(function*() {
    if (given.server !== undefined) return yield* toServer(given.server, given.path)
    yield* print("Opening the document store.\n")
    return yield* toStore(given)
  }).pipe(Effect.provide(Layer.merge(NodeContext.layer, Logger.remove(Logger.defaultLogger))))

await Arguments.run(given, (given) =>
  Effect.matchEffect(ingest(given), {
    onFailure: (error) => Effect.as(print(describeFailure(error)), 1),
    onSuccess: (summary) => Effect.as(print(describe(summary)), exitCode(summary))
  }))
