/**
 * All that the console shows, as one JSON value for one caller.
 *
 * @since 0.1.0
 */
import type * as HttpApp from "@effect/platform/HttpApp"
import { HttpServerRequest } from "@effect/platform/HttpServerRequest"
import type * as Clock from "effect/Clock"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { createHash } from "node:crypto"
import type { Principal } from "../../auth/Principal.js"
import { isAllowed } from "../../auth/Principal.js"
import type * as Health from "../../health/Health.js"
import type { Lifecycle } from "../../health/Lifecycle.js"
import type * as Target from "../../llm/Target.js"
import type { Overload } from "../../policy/Overload.js"
import * as JsonRpc from "../../protocol/JsonRpc.js"
import { McpServer } from "../../server/McpServer.js"
import type { Plan } from "../../toolkit/Plan.js"
import * as MemoryTransport from "../../transport/MemoryTransport.js"
import type { CallLog } from "../CallLog.js"
import * as OpsApp from "../OpsApp.js"
import * as ConsoleReply from "./ConsoleReply.js"
import * as Verdict from "./Verdict.js"

/**
 * @since 0.1.0
 * @category models
 */
export interface Command {
  readonly command: string
  readonly args: ReadonlyArray<string>
  readonly env?: { readonly [name: string]: string } | undefined
}

/**
 * @since 0.1.0
 * @category configuration
 */
export interface Options {
  readonly server: Context.Tag.Service<McpServer>
  readonly verdict: Effect.Effect<Health.Report>
  readonly lifecycle: Context.Tag.Service<Lifecycle> | undefined
  readonly overload: Context.Tag.Service<Overload> | undefined
  readonly calls: Context.Tag.Service<CallLog> | undefined
  readonly clock: Clock.Clock
  readonly models: Effect.Effect<ReadonlyArray<Target.Status>>
  readonly plans: ReadonlyArray<Plan>
  readonly client: {
    readonly endpoint: string
    readonly command: Command | undefined
    /** Whether a client needs a key. */
    readonly hasKeys: boolean
  }
  readonly callScopes: ReadonlyArray<string>
}

/** A server whose list has no end is not read to it. */
const mostPages = 50

/** As a client would be told of them, over the protocol; none where the server has no tools. */
const listed = (server: Options["server"], caller: Principal): Effect.Effect<ReadonlyArray<JsonRpc.Json>> =>
  Effect.scoped(Effect.gen(function*() {
    const client = yield* MemoryTransport.make({ caller })
    const tools: Array<JsonRpc.Json> = []
    let cursor: unknown
    for (let page = 0; page < mostPages; page++) {
      const result = yield* client.request("tools/list", cursor === undefined ? {} : { cursor })
      if (Array.isArray(result.tools)) tools.push(...result.tools.filter(JsonRpc.isObject))
      cursor = result.nextCursor
      if (cursor === undefined) break
    }
    return tools
  })).pipe(
    Effect.provideService(McpServer, server),
    Effect.catchAll(() => Effect.succeed([]))
  )

const moment = (millis: number): string => new Date(millis).toISOString()

const query = (url: string): URLSearchParams => new URLSearchParams(url.slice((url.indexOf("?") + 1) || url.length))

/**
 * Answers with the state: `?tool=` draws the series of that tool alone, and `?known=`
 * leaves out the tools when they are those of that version, as they seldom change.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: Options): (caller: Principal) => HttpApp.Default => {
  const { calls, callScopes, client, clock, lifecycle, models, overload, plans, server, verdict } = options

  const toolsOf = (caller: Principal, known: string | null) =>
    Effect.map(listed(server, caller), (list) => {
      const names = new Set(list.map(({ name }) => name))
      const tools = { list, plans: plans.filter(({ tool }) => names.has(tool)) }
      const version = createHash("sha256").update(JSON.stringify(tools)).digest("base64url").slice(0, 16)
      return { names, shown: version === known ? { version } : { version, ...tools } }
    })

  const modelOf = (status: Target.Status) => ({
    ...Verdict.modelOf(status),
    provider: status.provider,
    model: status.model,
    successRate: status.successRate
  })

  const callsOf = (tool: string | null) =>
    calls === undefined ? undefined : {
      total: calls.total(),
      tools: calls.totals(),
      tool: tool ?? undefined,
      points: calls.points(tool ?? undefined),
      recent: calls.recent()
    }

  return (caller) =>
    Effect.flatMap(HttpServerRequest, (request) => {
      if (ConsoleReply.isForeign(request)) {
        return Effect.succeed(ConsoleReply.refuse(403, "a page of another site may not see this"))
      }
      const asked = query(request.url)
      const all = Effect.all([toolsOf(caller, asked.get("known")), verdict, models], { concurrency: "unbounded" })
      return Effect.map(all, ([{ names, shown }, report, statuses]) => {
        const seen = plans.filter(({ tool }) => names.has(tool))
        return ConsoleReply.json({
          now: moment(clock.unsafeCurrentTimeMillis()),
          server: server.info,
          ...(lifecycle === undefined
            ? {}
            : { lifecycle: { state: lifecycle.state(), since: moment(lifecycle.since()) } }),
          ...(overload === undefined ? {} : { pressure: overload.pressure() }),
          caller: { id: caller.id, mayCall: isAllowed(caller, callScopes), callScopes },
          client,
          tools: shown,
          health: report,
          unavailable: OpsApp.unavailable(report, seen),
          degraded: OpsApp.degraded(report, seen),
          models: statuses.map(modelOf),
          calls: callsOf(asked.get("tool"))
        })
      })
    })
}
