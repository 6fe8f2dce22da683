/**
 * The operator's pages: whether the process lives, whether it wants clients, and
 * how each source and each model is.
 *
 * @since 0.1.0
 */
import type * as HttpApp from "@effect/platform/HttpApp"
import { HttpServerRequest } from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Health from "../health/Health.js"
import { Lifecycle } from "../health/Lifecycle.js"
import type * as Target from "../llm/Target.js"
import { Overload } from "../policy/Overload.js"
import * as OpsGuard from "./internal/OpsGuard.js"
import * as MetricsPage from "./MetricsPage.js"

/**
 * What a tool rests on, each by the name or the kind of a source: it is there as
 * long as one source of that name or kind is up. The `Plan` of a tool is one.
 *
 * @since 0.1.0
 * @category models
 */
export interface ToolNeeds {
  readonly tool: string
  /** Without one of these its calls fail. */
  readonly requires?: ReadonlyArray<string> | undefined
  /** Without one of these its answers are worse. */
  readonly uses?: ReadonlyArray<string> | undefined
}

/**
 * A tool that lacks something, and the names of the sources that are down.
 *
 * @since 0.1.0
 * @category models
 */
export interface Lacking {
  readonly tool: string
  readonly without: ReadonlyArray<string>
}

/**
 * @since 0.1.0
 * @category configuration
 */
export interface Options<out R = never> {
  /** What the tools rest on; none unless given. */
  readonly tools?: ReadonlyArray<ToolNeeds> | undefined
  /** How each model has been doing, for example `status` of a `ProviderChain`. */
  readonly models?: Effect.Effect<ReadonlyArray<Target.Status>> | undefined
  /** More pages by their paths, or one in place of `/metrics`. Guarded as `/healthz` is. */
  readonly pages?: { readonly [path: string]: HttpApp.Default<never, R> } | undefined
  /** What a caller needs for more than `/livez` and `/readyz` where an `Authenticator` is; `ops:read` unless given. */
  readonly scopes?: ReadonlyArray<string> | undefined
}

const sourcesOf = ({ sources }: Health.Report, need: string): ReadonlyArray<Health.Source> =>
  sources.filter(({ kind, name }) => name === need || kind === need)

const missing = (report: Health.Report, needs: ReadonlyArray<string>): ReadonlyArray<string> => {
  const gone = needs.flatMap((need) => {
    const sources = sourcesOf(report, need)
    return sources.some(({ status }) => status === "up") ? [] : sources.map(({ name }) => name)
  })
  // In the order of the checks.
  return [...new Set(report.sources.flatMap(({ name }) => (gone.includes(name) ? [name] : [])))]
}

const lacking = (
  report: Health.Report,
  tools: ReadonlyArray<ToolNeeds>,
  needs: (tool: ToolNeeds) => ReadonlyArray<string> | undefined
): ReadonlyArray<Lacking> =>
  report.status === "up" ? [] : tools.flatMap((tool) => {
    const without = missing(report, needs(tool) ?? [])
    return without.length === 0 ? [] : [{ tool: tool.tool, without }]
  })

/**
 * The tools whose calls fail as long as this is so.
 *
 * @since 0.1.0
 * @category combinators
 */
export const unavailable = (report: Health.Report, tools: ReadonlyArray<ToolNeeds>): ReadonlyArray<Lacking> =>
  lacking(report, tools, ({ requires }) => requires)

/**
 * The tools that have to do without something they use.
 *
 * @since 0.1.0
 * @category combinators
 */
export const degraded = (report: Health.Report, tools: ReadonlyArray<ToolNeeds>): ReadonlyArray<Lacking> =>
  lacking(report, tools, ({ uses }) => uses)

const modelOf = ({ breaker, coolingFor, coolingReason, headroom, id, inFlight, latencyMs }: Target.Status) => ({
  id,
  breaker,
  ...(coolingFor === undefined ? {} : { restsForMs: Math.ceil(Duration.toMillis(coolingFor)), because: coolingReason }),
  inFlight,
  headroom,
  ...(latencyMs === undefined ? {} : { latencyMs: Math.round(latencyMs) })
})

const headers = { "cache-control": "no-store", "x-content-type-options": "nosniff" }

const json = (body: object, status = 200): HttpServerResponse.HttpServerResponse =>
  HttpServerResponse.unsafeJson(body, { status, headers })

const alive = json({ status: "up" })
const notFound = json({ error: "not found" }, 404)
const notAllowed = HttpServerResponse.setHeader(json({ error: "method not allowed" }, 405), "allow", "GET, HEAD")

/** How long a probe waits for a new verdict when there is an older one: a balancer gives up on those that are slow. */
const patience = Duration.millis(250)

const pathOf = (url: string): string => {
  const end = url.search(/[?#]/u)
  return end < 0 ? url : url.slice(0, end)
}

/**
 * Makes the pages, for GET and HEAD:
 *
 * - `/livez` is 200 as long as the process answers, and asks nobody.
 * - `/readyz` is 503 while the server starts or drains, or a required source is
 *   down. It names the tools that are unavailable or degraded. It answers within a
 *   quarter of a second once there is a verdict.
 * - `/healthz` is 200 with each source and each model by name.
 * - `/metrics` is for Prometheus.
 *
 * None holds a secret. The first two are for everybody; where an `Authenticator`
 * is provided here, names and the other pages are for callers with `scopes`. Uses
 * the `Lifecycle` and the `Overload` that are provided here.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = <R = never>(
  options: Options<R> = {}
): Effect.Effect<HttpApp.Default<never, R>, never, Health.Health> =>
  Effect.gen(function*() {
    const health = yield* Health.Health
    const lifecycle = Option.getOrUndefined(yield* Effect.serviceOption(Lifecycle))
    const overload = Option.getOrUndefined(yield* Effect.serviceOption(Overload))
    const guard = yield* OpsGuard.fromContext(options.scopes ?? ["ops:read"])
    const tools = options.tools ?? []
    const pages = new Map<string, HttpApp.Default<never, R>>(
      Object.entries({ "/metrics": MetricsPage.app, ...options.pages })
    )
    let last: Health.Report | undefined

    const verdict = Effect.flatMap(
      Effect.suspend(() =>
        last === undefined ? Effect.asSome(health.report) : Effect.timeoutOption(health.report, patience)
      ),
      (report) => {
        last = Option.getOrElse(report, () => last)
        return last === undefined ? health.report : Effect.succeed(last)
      }
    )

    const state = () =>
      lifecycle === undefined
        ? undefined
        : { state: lifecycle.state(), since: new Date(lifecycle.since()).toISOString() }

    const ready = (isKnown: boolean) =>
      Effect.suspend(() => {
        const now = lifecycle?.state() ?? "ready"
        // Nothing that is asked could make it ready.
        if (now !== "ready") return Effect.succeed(json({ status: now }, 503))
        return Effect.map(verdict, (report) =>
          json({
            status: report.status,
            ...(isKnown
              ? { unavailable: unavailable(report, tools), degraded: degraded(report, tools) }
              : {})
          }, Health.isReady(report) ? 200 : 503))
      })

    const healthy = Effect.zipWith(verdict, options.models ?? Effect.succeed([]), (report, models) =>
      json({
        ...report,
        models: models.map(modelOf),
        unavailable: unavailable(report, tools),
        degraded: degraded(report, tools),
        ...(lifecycle === undefined ? {} : { lifecycle: state() }),
        ...(overload === undefined ? {} : { pressure: overload.pressure() })
      }))

    return Effect.flatMap(HttpServerRequest, (request): HttpApp.Default<never, R> => {
      const path = pathOf(request.url)
      const page = path === "/healthz" ? healthy : pages.get(path)
      if (page === undefined && path !== "/livez" && path !== "/readyz") return Effect.succeed(notFound)
      if (request.method !== "GET" && request.method !== "HEAD") return Effect.succeed(notAllowed)
      if (path === "/livez") return Effect.succeed(alive)
      if (page === undefined) return Effect.flatMap(guard.knows(request), ready)
      return Effect.flatMap(guard.refusal(request), (refusal) => refusal === undefined ? page : Effect.succeed(refusal))
    })
  })
