/**
 * A page for people on the operator's listener: what the server offers and how it
 * is, a form to try each tool, the last calls, and settings for clients to copy.
 *
 * @since 0.1.0
 */
import * as Config from "effect/Config"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { Authenticator } from "../auth/Authenticator.js"
import * as Health from "../health/Health.js"
import { Lifecycle } from "../health/Lifecycle.js"
import type * as Target from "../llm/Target.js"
import { Overload } from "../policy/Overload.js"
import { McpServer } from "../server/McpServer.js"
import type { Plan } from "../toolkit/Plan.js"
import { CallLog } from "./CallLog.js"
import * as ConsoleCall from "./internal/ConsoleCall.js"
import * as ConsoleFiles from "./internal/ConsoleFiles.js"
import * as ConsoleState from "./internal/ConsoleState.js"
import * as OpsRequest from "./internal/OpsRequest.js"
import * as Verdict from "./internal/Verdict.js"
import type * as OpsApp from "./OpsApp.js"

/**
 * The page's files could not be read: they may have been left out of the
 * installation.
 *
 * @since 0.1.0
 * @category errors
 */
export class Unreadable extends Schema.TaggedError<Unreadable>("causeway/Console/Unreadable")("Unreadable", {
  file: Schema.String,
  cause: Schema.Defect
}) {
  override get message() {
    return `the console's file ${this.file} could not be read; it may have been left out of the installation`
  }
}

/**
 * @since 0.1.0
 * @category configuration
 */
export interface Options {
  /** How each model has been doing, for example `status` of a `ProviderChain`. */
  readonly models?: Effect.Effect<ReadonlyArray<Target.Status>> | undefined
  /** What stands around each tool and what it rests on, for example by `Plan.ofToolkit`. */
  readonly plans?: ReadonlyArray<Plan> | undefined
  /** Where clients reach MCP: a URL, or a path where the page is; `/mcp` unless given. */
  readonly endpoint?: string | undefined
  /** How a client starts the server on standard streams; not shown unless given. */
  readonly command?: ConsoleState.Command | undefined
  /** What a caller needs to try a tool, besides the scopes of all pages and of the tool; `ops:call` unless given. */
  readonly callScopes?: ReadonlyArray<string> | undefined
  /** How long a call made from the page may take; 30 seconds unless given. */
  readonly callTimeout?: Duration.DurationInput | undefined
}

/**
 * By their paths, for `pages` of `OpsApp`.
 *
 * @since 0.1.0
 * @category models
 */
export interface Pages {
  readonly [path: string]: OpsApp.Page
}

/**
 * Makes the pages:
 *
 * - `/` and the files under `/console/` hold no data and are for everybody: a
 *   browser cannot send a key with them.
 * - `/console/state` is what the page shows, as JSON.
 * - `/console/call` runs a tool, by POST of `{ "name", "arguments" }` as JSON of 64 KiB at
 *   most, and answers with the result or the error of MCP. It is the caller's own
 *   call: its scopes and limits count, and observers are told of it. Refused while
 *   the server drains.
 *
 * The last two are guarded as `/healthz` is, and refused to pages of other sites.
 * Uses the `CallLog`, the `Lifecycle` and the `Overload` that are provided here.
 * Fails when the page's own files cannot be read.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (
  options: Options = {}
): Effect.Effect<Pages, Unreadable, McpServer | Health.Health> =>
  Effect.gen(function*() {
    const server = yield* McpServer
    const files = yield* ConsoleFiles.read((file, cause) => new Unreadable({ file, cause }))
    const lifecycle = Option.getOrUndefined(yield* Effect.serviceOption(Lifecycle))
    const hasKeys = Option.isSome(yield* Effect.serviceOption(Authenticator))
    const callScopes = options.callScopes ?? ["ops:call"]
    const state = ConsoleState.make({
      server,
      verdict: Verdict.make(yield* Health.Health),
      lifecycle,
      overload: Option.getOrUndefined(yield* Effect.serviceOption(Overload)),
      calls: Option.getOrUndefined(yield* Effect.serviceOption(CallLog)),
      clock: yield* Effect.clock,
      models: options.models ?? Effect.succeed([]),
      plans: options.plans ?? [],
      client: { endpoint: options.endpoint ?? "/mcp", command: options.command, hasKeys },
      callScopes
    })
    const call = ConsoleCall.make({
      server,
      lifecycle,
      clock: yield* Effect.clock,
      timeout: Duration.decode(options.callTimeout ?? "30 seconds")
    })
    return {
      ...Object.fromEntries(files.map(({ app, path }) => [path, { answer: () => app, isPublic: true }])),
      "/console/state": { answer: state },
      "/console/call": { answer: call, method: "POST", scopes: callScopes }
    }
  })

/**
 * Reads `CONSOLE`: `on` or `off`; `undefined` when it is not set.
 *
 * @since 0.1.0
 * @category configuration
 */
export const settings: Config.Config<boolean | undefined> = Config.literal("on", "off", "")("CONSOLE").pipe(
  Config.withDefault(""),
  Config.map((setting) => setting === "" ? undefined : setting === "on"),
  Config.withDescription("Whether the operator's pages have one for people")
)

/**
 * Whether a listener on this address should have the console: as the setting says;
 * without one where only this machine can reach it, or an `Authenticator` is
 * provided here. Where other machines can reach it and nobody is asked who it is,
 * `OpsServer` and `HttpTransport` do not start at all unless
 * `allowUnauthenticatedRemote` is set, and then the console is off unless the
 * setting says `on`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const isOn = (host: string, setting: boolean | undefined): Effect.Effect<boolean> =>
  Effect.map(
    Effect.serviceOption(Authenticator),
    (authenticator) => setting ?? (OpsRequest.isLoopback(host) || Option.isSome(authenticator))
  )
