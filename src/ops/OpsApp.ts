/**
 * The operator's pages: whether the process lives, whether it wants clients, and
 * how each source and each model is.
 *
 * @since 0.1.0
 */
import type * as HttpApp from "@effect/platform/HttpApp"
import { HttpServerRequest } from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Principal from "../auth/Principal.js"
import * as Health from "../health/Health.js"
import { Lifecycle } from "../health/Lifecycle.js"
import type * as Target from "../llm/Target.js"
import { Overload } from "../policy/Overload.js"
import * as OpsGuard from "./internal/OpsGuard.js"
import * as Verdict from "./internal/Verdict.js"
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
 * A page that wants to know who asks, or is not for reading only.
 *
 * @since 0.1.0
 * @category models
 */
export interface Page<out R = never> {
  /** Answers a caller: the person at this machine where nobody is asked, somebody without scopes on a public page. */
  readonly answer: (caller: Principal.Principal) => HttpApp.Default<never, R>
  /** `GET` unless given, and `HEAD` with it. */
  readonly method?: "GET" | "POST" | undefined
  /** Whether everybody may see it, and nobody is asked who it is; false unless given. */
  readonly isPublic?: boolean | undefined
  /** What a caller needs besides the scopes of all pages; nothing unless given. */
  readonly scopes?: ReadonlyArray<string> | undefined
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
  readonly pages?: { readonly [path: string]: HttpApp.Default<never, R> | Page<R> } | undefined
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

const headers = { "cache-control": "no-store", "x-content-type-options": "nosniff" }

const json = (body: object, status = 200): HttpServerResponse.HttpServerResponse =>
  HttpServerResponse.unsafeJson(body, { status, headers })

const alive = json({ status: "up" })
const notFound = json({ error: "not found" }, 404)
const notAllowed = {
  GET: HttpServerResponse.setHeader(json({ error: "method not allowed" }, 405), "allow", "GET, HEAD"),
  POST: HttpServerResponse.setHeader(json({ error: "method not allowed" }, 405), "allow", "POST")
}

const anybody = Principal.make({ id: "anybody" })

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
 * is provided here, names and the other pages are for callers with `scopes`, and an
 * `AuthObserver` is told of those who are refused. Uses the `Lifecycle` and the
 * `Overload` that are provided here. A client that goes away ends its request.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = <R = never>(
  options: Options<R> = {}
): Effect.Effect<HttpApp.Default<never, R>, never, Health.Health> =>
  Effect.gen(function*() {
    const verdict = Verdict.make(yield* Health.Health)
    const lifecycle = Option.getOrUndefined(yield* Effect.serviceOption(Lifecycle))
    const overload = Option.getOrUndefined(yield* Effect.serviceOption(Overload))
    const guard = yield* OpsGuard.fromContext(options.scopes ?? ["ops:read"])
    const tools = options.tools ?? []

    const state = () =>
      lifecycle === undefined
        ? undefined
        : { state: lifecycle.state(), since: new Date(lifecycle.since()).toISOString() }

    const ready = Effect.flatMap(HttpServerRequest, (request) => {
      const now = lifecycle?.state() ?? "ready"
      // Nothing that is asked could make it ready.
      if (now !== "ready") return Effect.succeed(json({ status: now }, 503))
      return Effect.zipWith(guard.knows(request), verdict, (isKnown, report) =>
        json({
          status: report.status,
          ...(isKnown
            ? { unavailable: unavailable(report, tools), degraded: degraded(report, tools) }
            : {})
        }, Health.isReady(report) ? 200 : 503), { concurrent: true })
    })

    const healthy = Effect.zipWith(verdict, options.models ?? Effect.succeed([]), (report, models) =>
      json({
        ...report,
        models: models.map(Verdict.modelOf),
        unavailable: unavailable(report, tools),
        degraded: degraded(report, tools),
        ...(lifecycle === undefined ? {} : { lifecycle: state() }),
        ...(overload === undefined ? {} : { pressure: overload.pressure() })
      }))

    const pages = new Map<string, Page<R>>(
      Object.entries({
        "/metrics": MetricsPage.app,
        ...options.pages,
        "/healthz": healthy,
        "/livez": { answer: () => Effect.succeed(alive), isPublic: true },
        "/readyz": { answer: () => ready, isPublic: true }
      }).map(([path, page]): [string, Page<R>] => [path, "answer" in page ? page : { answer: () => page }])
    )

    const serve = (request: HttpServerRequest): HttpApp.Default<never, R> => {
      const page = pages.get(pathOf(request.url))
      if (page === undefined) return Effect.succeed(notFound)
      const { answer, isPublic = false, method = "GET", scopes } = page
      if (request.method !== method && !(method === "GET" && request.method === "HEAD")) {
        return Effect.succeed(notAllowed[method])
      }
      if (isPublic) return answer(anybody)
      return Effect.matchEffect(guard.caller(request, scopes), { onFailure: Effect.succeed, onSuccess: answer })
    }

    // A platform runs applications where nothing can be interrupted: no time limit in them would hold.
    return Effect.flatMap(HttpServerRequest, (request) => Effect.interruptible(serve(request)))
  })
