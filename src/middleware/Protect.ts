/**
 * Gives a tool's handler a policy.
 *
 * @since 0.1.0
 */
import * as Policy from "../policy/Policy.js"
import * as Tool from "../tool/Tool.js"

/**
 * A policy that may run a call again, or answer it with another's answer, fits
 * only a tool that is safe to repeat.
 *
 * @since 0.1.0
 * @category type-level
 */
export type Fitting<T extends Tool.Any, N extends Policy.Repeats> = "effectful" extends T["safety"] ?
  [N] extends [never] ? T : never
  : T

/**
 * Adds a policy to that of a handler: where both set the same thing, the one given
 * now counts. It holds for every call that a server answers with the handler. A
 * repeating policy on an effectful tool does not compile. What the policy needs,
 * such as a `RateLimiter`, is needed by the handler from now on.
 *
 * @since 0.1.0
 * @category combinators
 */
export const by =
  <N extends Policy.Repeats = never, R2 = never>(policy: Policy.Policy<N, R2>) =>
  <T extends Tool.Any, E, R>(
    self: Tool.ToolHandler<T & Fitting<T, N>, E, R>
  ): Tool.ToolHandler<T, E, R | R2> => Tool.withTerms<R2>({ policy: Policy.all(self.policy, policy) })<T, E, R>(self)
