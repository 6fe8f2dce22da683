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
  /** The sources without which it cannot answer, by name or kind. */
  readonly requires: ReadonlyArray<string>
  /** Those without which its answers are worse. */
  readonly uses: ReadonlyArray<string>
  /** The outermost first. */
  readonly steps: ReadonlyArray<PlannedStep>
  /** A sentence each. */
  readonly warnings: ReadonlyArray<string>
}

/**
 * What is around a tool: the policy of the server, and the other tools.
 *
 * @since 0.1.0
 * @category models
 */
export interface Around extends PlanWarnings.Others {
  readonly server: Policy.Any
}

/**
 * What is around the tools of one registry.
 *
 * @since 0.1.0
 * @category constructors
 */
export const around = (handlers: ReadonlyArray<Tool.AnyHandler>, server: Policy.Any): Around => ({
  server,
  ...PlanWarnings.others(handlers.map(({ policy, tool, toolkitPolicy }) => ({
    name: tool.name,
    policy: Levels.effective({ server, toolkit: toolkitPolicy, tool: policy }, tool.safety)
  })))
})

/**
 * Plans one tool under the policies of the server, its toolkit and its own; the
 * more special one counts. Parts that repeat are left out for an effectful tool,
 * with a warning.
 *
 * Warned of, each with what to do: a retry without an attempt timeout; attempts
 * that cannot fit into the timeout; a cache that outlives its half-life or stale
 * time; a fallback to a kept answer without a cache, to a tool that is not there,
 * to itself or in a ring; an idempotency key on a read-only tool; a queue whose wait is
 * longer than the timeout; a rate limit whose burst is above what the concurrency
 * can work off; an upstream that tools name with different numbers; coalescing or caching a public result that depends on scopes; a
 * breaker that opens slower than the timeout of its calls allows; a confidence
 * that hardly any answer reaches.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (
  handler: Tool.AnyHandler,
  levels: Around
): Plan => {
  const { requires, tool, uses } = handler
  const all: Levels.Levels = { server: levels.server, toolkit: handler.toolkitPolicy, tool: handler.policy }
  const policy = Levels.effective(all, tool.safety)
  return {
    tool: tool.name,
    safety: tool.safety,
    scopes: tool.scopes,
    requires,
    uses,
    steps: PlanWords.names.flatMap((name) =>
      PlanWords.say(name, policy).map((says) => ({ name, says, from: fromOf(name, says, all) }))
    ),
    warnings: PlanWarnings.find(tool, Policy.all(all.server, all.toolkit, all.tool), policy, levels)
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
  const all = around(handlers, server)
  return handlers.map((handler) => make(handler, all))
}

const heading = ({ requires, safety, scopes, tool, uses }: Plan): string =>
  `${tool} (${
    [
      safety,
      ...(scopes.length === 0 ? [] : [`scopes ${scopes.join(", ")}`]),
      ...(requires.length === 0 ? [] : [`requires ${requires.join(", ")}`]),
      ...(uses.length === 0 ? [] : [`uses ${uses.join(", ")}`])
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
