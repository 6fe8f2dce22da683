/**
 * Puts a policy around a tool's handler.
 *
 * @since 0.1.0
 */
import * as Ask from "../ask/Ask.js"
import * as Policy from "../policy/Policy.js"
import { isExit } from "../protocol/Ended.js"
import * as Tool from "../tool/Tool.js"
import { ToolError } from "../tool/ToolError.js"

/**
 * A policy that may run a call again fits only a tool that is safe to repeat.
 *
 * @since 0.1.0
 * @category type-level
 */
export type Fitting<T extends Tool.Any, N extends Policy.Repeats> = "effectful" extends T["safety"] ?
  [N] extends [never] ? T : never
  : T

const seconds = (millis: number): string => `${Math.round(millis / 100) / 10} s`

/**
 * Applies a policy to a handler. A repeating policy on an effectful tool does
 * not compile. When the policy's time is over, the handler is interrupted and
 * the call fails with `timed_out`.
 *
 * @since 0.1.0
 * @category combinators
 */
export const by = <N extends Policy.Repeats = never>(policy: Policy.Policy<N>) =>
<T extends Tool.Any, E, R>(
  self: Tool.ToolHandler<T & Fitting<T, N>, E, R>
): Tool.ToolHandler<T, E | ToolError, R> =>
  Tool.wrap<T, E, R, E | ToolError, R>(self, (next) =>
    // Each try begins anew with what is known: its questions are counted from the first.
    Policy.apply(policy, Policy.isRepeating(policy) && !isExit(next) ? Ask.fromStart(next) : next, {
      onTimeout: (millis: number) =>
        new ToolError({
          code: "timed_out",
          message: `${self.tool.name} did not finish within ${seconds(millis)}. Try again, or ask for less.`
        })
    }))
