/**
 * What a client is told of how a prompt ended.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import { NotAnswered } from "../../ask/Ask.js"
import { Code, invalidParams, McpError } from "../../protocol/McpError.js"
import type * as Mcp from "../../protocol/McpSchema.js"
import type * as McpPrompt from "../McpPrompt.js"
import { PromptError } from "../PromptError.js"

/** A handler that throws before it gives an effect is as broken as one whose effect dies. */
export const begin = <A>(handler: () => Effect.Effect<A, unknown, unknown>): Effect.Effect<A, unknown, unknown> => {
  try {
    return handler()
  } catch (defect) {
    return Exit.die(defect)
  }
}

/** The effect itself when it has ended already, so that it needs no fiber. */
export const exitOf = <A>(effect: Effect.Effect<A, unknown, unknown>): Exit.Exit<A, unknown> | undefined =>
  // An effect that is an exit is one of its own types; the guard forgets them.
  Exit.isExit(effect) ? effect as Exit.Exit<A, unknown> : undefined

/** The failure as the client sees it. One that was not declared is a defect, and so is a handler that stops itself. */
export const fail = (name: string, cause: Cause.Cause<unknown>): Effect.Effect<never, McpError> => {
  const failure = Option.getOrUndefined(Cause.failureOption(cause))
  if (failure instanceof McpError) return Exit.fail(failure)
  if (failure instanceof NotAnswered) {
    return Exit.fail(new McpError({ code: Code.InternalError, message: failure.message }))
  }
  if (failure instanceof PromptError) {
    const { reason } = failure
    if (reason._tag === "InvalidArgument") {
      return Exit.fail(
        invalidParams(reason.message, { problems: [{ argument: reason.argument, message: reason.message }] })
      )
    }
    const told = Exit.fail(new McpError({ code: Code.InternalError, message: reason.message }))
    return reason.cause === undefined
      ? told
      : Effect.zipRight(Effect.logDebug(`Prompt ${name} was not made`, cause), told)
  }
  return Option.match(Cause.keepDefects(cause), {
    onSome: Exit.failCause,
    onNone: () => Exit.die(failure ?? new Error(`the handler of the prompt ${name} interrupted itself`))
  })
}

const isSeveral = (messages: McpPrompt.Messages): messages is ReadonlyArray<McpPrompt.Message> =>
  Array.isArray(messages)

/** The result of a prompt. */
export const settle = (
  prompt: McpPrompt.Any,
  exit: Exit.Exit<McpPrompt.Messages, unknown>
): Effect.Effect<Mcp.PromptResult, McpError> =>
  Exit.isFailure(exit) ? fail(prompt.name, exit.cause) : Exit.succeed({
    _tag: "Complete",
    description: prompt.description,
    messages: isSeveral(exit.value) ? exit.value : [exit.value]
  })
