/**
 * A small agent: asks the server one market question and prints the answer with
 * its confidence and its sources.
 *
 *     npm run ask -- "What did Halvorn say about its new plant?" [--server URL] [--user ID]
 */
import { Client } from "@modelcontextprotocol/sdk/client/index.js"
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js"
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js"
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js"
import * as Evidence from "causeway-mcp/tool/Evidence"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { connect as openSocket } from "node:net"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"

const usage = `npm run ask -- "QUESTION" [--server URL] [--user ID]

  --server  an MCP server; MCP_URL, else http://127.0.0.1:3333/mcp, else one is started for this question
  --user    whose history may be used
`

const defaultUrl = "http://127.0.0.1:3333/mcp"
const toolName = "answer_market_question"

/** A first start builds the embedded database and indexes the sample corpus. */
const startMillis = 120_000
const connectMillis = 10_000
const answerMillis = 60_000

const AnswerEnvelope = Evidence.envelope(Schema.Struct({ answer: Schema.String }))
const AnyEnvelope = Evidence.envelope(Schema.Unknown)

const Failure = Schema.parseJson(Schema.Struct({
  code: Schema.String,
  message: Schema.String,
  retryable: Schema.Boolean,
  retryAfterMs: Schema.optionalWith(Schema.Number, { exact: true }),
  fallback: Schema.optionalWith(Schema.Struct({ tool: Schema.String, why: Schema.String }), { exact: true })
}))

const TextBlock = Schema.Struct({ type: Schema.Literal("text"), text: Schema.String })

const ToolResult = Schema.Struct({
  isError: Schema.optionalWith(Schema.Boolean, { default: () => false }),
  content: Schema.Array(Schema.Unknown),
  structuredContent: Schema.optionalWith(Schema.Unknown, { exact: true })
})

type Failure = typeof Failure.Type
type Reply =
  | { readonly _tag: "Answered"; readonly structured: unknown; readonly texts: ReadonlyArray<string> }
  | { readonly _tag: "Failed"; readonly failure: Failure }

const decodeResult = Schema.decodeUnknownEither(ToolResult)
const decodeFailure = Schema.decodeUnknownOption(Failure)
const decodeAnswer = Schema.decodeUnknownOption(AnswerEnvelope)
const decodeEvidence = Schema.decodeUnknownOption(AnyEnvelope)
const isText = Schema.is(TextBlock)

const toReply = (result: unknown): Reply => {
  const unreadable = (message: string): Reply => ({
    _tag: "Failed",
    failure: { code: "unreadable", message, retryable: false }
  })
  const decoded = decodeResult(result)
  if (Either.isLeft(decoded)) return unreadable("the server's answer is not a tool result")
  const { content, isError, structuredContent } = decoded.right
  const texts = content.filter(isText).map((block) => block.text)
  if (!isError) return { _tag: "Answered", structured: structuredContent, texts }
  // The first block is a sentence for a model, the second the same failure as data.
  return Option.match(Option.firstSomeOf(texts.slice(1).map((text) => decodeFailure(text))), {
    onNone: () => unreadable(texts[0] ?? "the tool failed and did not say why"),
    onSome: (failure) => ({ _tag: "Failed", failure })
  })
}

const isListening = (url: URL): Promise<boolean> =>
  new Promise((resolve) => {
    const port = url.port === "" ? (url.protocol === "https:" ? 443 : 80) : Number(url.port)
    const socket = openSocket({ host: url.hostname.replace(/^\[|\]$/g, ""), port, timeout: 1_000 })
    const settle = (answer: boolean) => () => {
      socket.destroy()
      resolve(answer)
    }
    socket.once("connect", settle(true)).once("error", settle(false)).once("timeout", settle(false))
  })

/** An empty variable is an absent one. */
const setting = (name: string): string | undefined => process.env[name] === "" ? undefined : process.env[name]

const environment = (): Record<string, string> =>
  Object.fromEntries(Object.entries(process.env).flatMap(([name, value]) => value === undefined ? [] : [[name, value]]))

/** The given server; without one, the local server if it runs, else a server of our own on standard streams. */
const openClient = async (given: string | undefined): Promise<Client> => {
  const client = new Client({ name: "causeway-ask", version: "0.1.0" })
  const wanted = given ?? setting("MCP_URL")
  if (wanted !== undefined && !URL.canParse(wanted)) throw new Error(`${wanted} is not a URL`)
  const url = new URL(wanted ?? defaultUrl)
  if (wanted !== undefined || (await isListening(url))) {
    const token = setting("MCP_TOKEN")
    const transport = new StreamableHTTPClientTransport(
      url,
      token === undefined ? {} : { requestInit: { headers: { authorization: `Bearer ${token}` } } }
    )
    // The SDK's own transport declares `sessionId` in a way that `exactOptionalPropertyTypes` does not take.
    await client.connect(transport as Transport, { timeout: connectMillis }).catch((cause: unknown) => {
      throw new Error(`no MCP server answered at ${url.href}`, { cause })
    })
    return client
  }
  process.stderr.write(`Nothing listens at ${url.href}; starting examples/server.ts for this question.\n`)
  await client.connect(
    new StdioClientTransport({
      command: process.execPath,
      args: ["--import", "tsx", fileURLToPath(new URL("./server.ts", import.meta.url)), "--stdio"],
      env: environment()
    }),
    { timeout: startMillis }
  )
  return client
}

const call = async (client: Client, name: string, args: Record<string, unknown>): Promise<Reply> =>
  toReply(await client.callTool({ name, arguments: args }, undefined, { timeout: answerMillis }))

const percent = (share: number): string => `${Math.round(share * 100)}%`

const sureness = (evidence: Pick<typeof AnyEnvelope.Type, "confidence" | "calibration">): string =>
  evidence.calibration === "uncalibrated"
    ? `Confidence: ${percent(evidence.confidence)} (uncalibrated)`
    : `Confidence: ${percent(evidence.confidence)} (calibrated, ${evidence.calibration.id})`

const sourceLine = (source: Evidence.Source, index: number): string => {
  const about = [source.title, source.publishedAt?.slice(0, 10), source.uri, source.cached ? "from cache" : undefined]
  // The id stands first because answers cite by it.
  return `  ${index + 1}. ${
    [`[${source.id}]`, ...about].filter((part) => part !== undefined).join(" · ")
  } (${source.kind})`
}

const proof = (evidence: typeof AnyEnvelope.Type): string =>
  [
    sureness(evidence),
    ...(evidence.degraded === undefined ? [] : [`Incomplete: ${evidence.degraded.reason}`]),
    "Sources:",
    ...evidence.sources.map(sourceLine)
  ].join("\n")

/** The arguments the fallback understands, of those we have. */
const fallbackArguments = (
  accepted: ReadonlyArray<string>,
  question: string,
  user: string | undefined
): Record<string, unknown> =>
  Object.fromEntries(
    [["question", question], ["query", question], ["userId", user]].filter(
      ([name, value]) => value !== undefined && accepted.includes(String(name))
    )
  )

const ask = async (client: Client, question: string, user: string | undefined): Promise<number> => {
  const { tools } = await client.listTools({}, { timeout: connectMillis })
  process.stderr.write(`Tools: ${tools.map((tool) => tool.name).join(", ")}\n`)

  const reply = await call(client, toolName, { question, ...(user === undefined ? {} : { userId: user }) })
  if (reply._tag === "Answered") {
    const answer = decodeAnswer(reply.structured)
    if (Option.isNone(answer)) {
      process.stderr.write("The server answered without evidence.\n")
      return 1
    }
    process.stdout.write(`${answer.value.data.answer}\n\n${proof(answer.value)}\n`)
    return 0
  }

  const { failure } = reply
  process.stderr.write(`${toolName} failed (${failure.code}): ${failure.message}\n`)
  const { fallback } = failure
  const tool = fallback === undefined ? undefined : tools.find(({ name }) => name === fallback.tool)
  if (!failure.retryable || fallback === undefined || tool === undefined) return 1

  process.stderr.write(`Asking ${fallback.tool} instead: ${fallback.why}\n`)
  const accepted = Object.keys(tool.inputSchema.properties ?? {})
  const second = await call(client, fallback.tool, fallbackArguments(accepted, question, user))
  if (second._tag === "Failed") {
    process.stderr.write(`${fallback.tool} failed (${second.failure.code}): ${second.failure.message}\n`)
    return 1
  }
  const evidence = Option.match(decodeEvidence(second.structured), { onNone: () => "", onSome: proof })
  process.stdout.write(`No answer, but this was found:\n${second.texts[0] ?? ""}\n\n${evidence}\n`)
  return 1
}

const readArguments = () => {
  try {
    const { positionals, values } = parseArgs({
      allowPositionals: true,
      options: { server: { type: "string" }, user: { type: "string" } }
    })
    return { question: positionals.join(" ").trim(), ...values }
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n\n`)
    return { question: "" }
  }
}

const run = async (): Promise<number> => {
  const given: { readonly question: string; readonly server?: string; readonly user?: string } = readArguments()
  if (given.question === "") {
    process.stderr.write(usage)
    return 2
  }
  const client = await openClient(given.server)
  try {
    return await ask(client, given.question, given.user)
  } finally {
    await client.close()
  }
}

process.exitCode = await run().catch((error: unknown) => {
  process.stderr.write(`No answer: ${error instanceof Error ? error.message : String(error)}\n`)
  return 1
})
