/**
 * Says what stands around each tool: every policy that holds for its calls, in
 * order, where it was set, and what is unwise about it.
 *
 * @since 0.1.0
 */
import * as Levels from "../middleware/Levels.js"
import * as Policy from "../policy/Policy.js"
import type * as Tool from "../tool/Tool.js"
import * as PlanWarnings from "./internal/PlanWarnings.js"
import * as PlanWords from "./internal/PlanWords.js"
import type { Toolkit } from "./Toolkit.js"

/**
 * @since 0.1.0
 * @category models
 */
export interface PlannedStep {
  /** As in `Policy.Parts`, for example `rateLimit`. */
  readonly name: string
  /** In words: `100 calls per minute and caller, 100 at once`. */
  readonly says: string
  /** Where it was set. */
  readonly from: "tool" | "toolkit" | "server"
}

/**
 * @since 0.1.0
 * @category models
 */
export interface Plan {
  readonly tool: string
  readonly safety: Tool.Safety
  readonly scopes: ReadonlyArray<string>
  /** The sources without which it cannot answer. */
  readonly requires: ReadonlyArray<string>
  /** The outermost first. */
  readonly steps: ReadonlyArray<PlannedStep>
  /** A sentence each. */
  readonly warnings: ReadonlyArray<string>
}

/**
 * Plans one tool under the policies of the server, its toolkit and its own; the
 * more special one counts. Parts that repeat are left out for an effectful tool,
 * with a warning.
 *
 * Warned of, each with what to do: a retry without an attempt timeout; attempts
 * that cannot fit into the timeout; a cache that outlives its half-life or stale
 * time; a fallback to a kept answer without a cache, to a tool that is not there
 * or to itself; an idempotency key on a read-only tool; a queue whose wait is
 * longer than the timeout; a rate limit whose burst is above what the concurrency
 * can work off; coalescing or caching a public result that depends on scopes; a
 * breaker that opens slower than the timeout of its calls allows; a confidence
 * that hardly any answer reaches.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (
  handler: Tool.AnyHandler,
  levels: { readonly server: Policy.Any; readonly tools: ReadonlySet<string> }
): Plan => {
  const { requires, tool } = handler
  const all: Levels.Levels = { server: levels.server, toolkit: handler.toolkitPolicy, tool: handler.policy }
  const policy = Levels.effective(all, tool.safety)
  return {
    tool: tool.name,
    safety: tool.safety,
    scopes: tool.scopes,
    requires,
    steps: PlanWords.names.flatMap((name) =>
      PlanWords.say(name, policy).map((says) => ({ name, says, from: fromOf(name, says, all) }))
    ),
    warnings: PlanWarnings.find(tool, Policy.all(all.server, all.toolkit, all.tool), policy, levels.tools)
  }
}

/** The most special level that says the same, or anything at all of it. */
const fromOf = (name: PlanWords.Name, says: string, levels: Levels.Levels): PlannedStep["from"] => {
  const order = ["tool", "toolkit", "server"] as const
  return order.find((level) => PlanWords.say(name, levels[level]).includes(says)) ??
    order.find((level) => PlanWords.say(name, levels[level]).length > 0) ?? "server"
}

/**
 * Plans all tools of a toolkit, as a registry with this policy would serve them;
 * `Policy.standard` unless given. Needs nothing of what the handlers need.
 *
 * @since 0.1.0
 * @category constructors
 */
export const ofToolkit = (
  { handlers }: Toolkit<unknown>,
  server: Policy.Any = Policy.standard
): ReadonlyArray<Plan> => {
  const tools = new Set(handlers.map(({ tool }) => tool.name))
  return handlers.map((handler) => make(handler, { server, tools }))
}

const heading = ({ requires, safety, scopes, tool }: Plan): string =>
  `${tool} (${
    [
      safety,
      ...(scopes.length === 0 ? [] : [`scopes ${scopes.join(", ")}`]),
      ...(requires.length === 0 ? [] : [`requires ${requires.join(", ")}`])
    ].join("; ")
  })`

/**
 * Plans as a text of lines for an operator, tools in order.
 *
 * @since 0.1.0
 * @category combinators
 */
export const render = (plans: ReadonlyArray<Plan>): string => {
  const steps = plans.flatMap(({ steps }) => steps)
  const names = Math.max(0, ...steps.map(({ name }) => name.length))
  const words = Math.max(0, ...steps.map(({ says }) => says.length))
  return plans.map((plan) =>
    [
      heading(plan),
      ...plan.steps.map(({ from, name, says }) => `  ${name.padEnd(names)}  ${says.padEnd(words)}  ${from}`),
      ...plan.warnings.map((warning) => `  ! ${warning}`)
    ].join("\n")
  ).join("\n\n")
}
