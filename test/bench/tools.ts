/**
 * The two tools of the side-by-side benchmark: `add`, and `search` with five
 * rows of about 4 KB. They are raw tools, since the peers answer without
 * evidence.
 *
 * @since 0.1.0
 */
import * as Measure from "causeway-mcp/middleware/Measure"
import * as Observer from "causeway-mcp/middleware/Observer"
import * as Trace from "causeway-mcp/middleware/Trace"
import * as Policy from "causeway-mcp/policy/Policy"
import * as McpServer from "causeway-mcp/server/McpServer"
import * as Tool from "causeway-mcp/tool/Tool"
import * as Toolkit from "causeway-mcp/toolkit/Toolkit"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { add, search } from "./data.js"

const Row = Schema.Struct({
  id: Schema.String,
  source: Schema.String,
  confidence: Schema.Number,
  title: Schema.String,
  text: Schema.String
})

const Add = Tool.raw("add", {
  description: "Add two numbers",
  parameters: { a: Schema.Number, b: Schema.Number },
  success: Schema.Struct({ sum: Schema.Number }),
  safety: "readOnly"
})

const Search = Tool.raw("search", {
  description: "Search the in-memory corpus",
  parameters: { query: Schema.String },
  success: Schema.Struct({ results: Schema.Array(Row) }),
  safety: "readOnly"
})

const addAtOnce = Add.implement(({ a, b }) => Effect.succeed({ structured: add(a, b) }))
const searchAtOnce = Search.implement(({ query }) => Effect.succeed({ structured: search(query) }))

// These need a fiber, as most real handlers do, and so a policy cannot see that there is nothing to wait for.
const addInFiber = Add.implement(({ a, b }) => Effect.sync(() => ({ structured: add(a, b) })))
const searchInFiber = Search.implement(({ query }) => Effect.sync(() => ({ structured: search(query) })))

const atOnce = Toolkit.make(addAtOnce, searchAtOnce)
const inFiber = Toolkit.make(addInFiber, searchInFiber)

// A limit of time is what a server had before there were other policies, so the figures stay comparable.
const time = Policy.timeout("30 seconds")

const servers = {
  plain: [atOnce, time],
  standard: [atOnce, Policy.standard],
  production: [atOnce, Policy.standard],
  fiber: [inFiber, time],
  "fiber standard": [inFiber, Policy.standard],
  "fiber production": [inFiber, Policy.standard]
} as const

const isKnown = (text: string): text is keyof typeof servers => Object.hasOwn(servers, text)

const wanted = [process.env["HANDLERS"], process.env["POLICIES"]].filter((text) => text !== undefined && text !== "")
const name = wanted.length === 0 ? "plain" : wanted.join(" ")
if (!isKnown(name)) throw new Error("HANDLERS is \"fiber\" or unset, POLICIES is \"standard\", \"production\" or unset")

const [tools, policy] = servers[name]

const Tools = McpServer.layerTools(tools, { name: "bench", version: "1.0.0", policy })

/**
 * Whether it is served as in production: callers show a key, calls are measured,
 * and the client's trace is joined.
 *
 * @since 0.1.0
 */
export const isProduction = process.env["POLICIES"] === "production"

/**
 * The server every benchmark serves: with `POLICIES=standard` behind
 * `Policy.standard`, with `POLICIES=production` observed too, with `HANDLERS=fiber`
 * by handlers that are not done at once.
 *
 * @since 0.1.0
 */
export const Server = isProduction
  ? Layer.provide(Tools, Observer.layer(Measure.observer, Trace.observer))
  : Tools
