/**
 * Brings together what the server, a toolkit and a tool ask of a tool's calls.
 *
 * @since 0.1.0
 */
import * as Option from "effect/Option"
import * as Policy from "../policy/Policy.js"
import type { Safety } from "../tool/Tool.js"

/**
 * Policies by where they were set. The more special one counts: the tool's before
 * the toolkit's before the server's.
 *
 * @since 0.1.0
 * @category models
 */
export interface Levels {
  readonly server: Policy.Any
  readonly toolkit: Policy.Any
  readonly tool: Policy.Any
}

/**
 * What holds for the calls of a tool of this safety: on an effectful one nothing
 * that repeats, whoever set it.
 *
 * @since 0.1.0
 * @category combinators
 */
export const effective = ({ server, tool, toolkit }: Levels, safety: Safety): Policy.Parts => {
  const policy = Policy.all(server, toolkit, tool)
  return safety !== "effectful" ? policy : {
    ...policy,
    retry: Option.none(),
    cache: Option.none(),
    coalesce: false,
    fallbacks: policy.fallbacks.filter(({ _tag }) => _tag !== "Stale")
  }
}
