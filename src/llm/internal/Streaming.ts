/**
 * Text as it comes: models change freely before the first of it, and not at all
 * after.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Stream from "effect/Stream"
import type * as Chat from "../Chat.js"
import * as LlmError from "../LlmError.js"
import type * as Attempt from "./Attempt.js"
import * as Handoff from "./Handoff.js"
import * as Question from "./Question.js"
import type * as Run from "./Run.js"
import * as Walk from "./Walk.js"

/** Pieces that the wire may be ahead of the reader. */
const ahead = 16

type Pieces = Handoff.Handoff<Chat.Delta, LlmError.LlmError>

/**
 * Streams the answer of the first model that gives one. One fiber makes the whole
 * call, from the first model to the last piece; it ends when the stream is closed.
 *
 * @since 0.1.0
 * @category constructors
 */
export const streamText = (engine: Run.Engine, request: Chat.Request): Stream.Stream<Chat.Delta, LlmError.LlmError> =>
  Stream.unwrapScoped(Effect.scopeWith((scope) => {
    const pieces: Pieces = new Handoff.Handoff(ahead)
    const { checks, isBuffered } = engine.policy
    const call = Walk.call(
      engine,
      "streamText",
      request,
      () =>
        isBuffered
          ? Question.text(request, checks, false, (attempt) => collect(attempt, undefined))
          : { ...Question.text(request, [], false, (attempt) => collect(attempt, pieces)), flawed: () => undefined }
    )
    const whole = Effect.onExit(Effect.interruptible(call), (exit) =>
      Effect.sync(() => {
        if (Exit.isSuccess(exit)) {
          if (isBuffered) pieces.offer({ _tag: "Text", text: exit.value.text })
          pieces.offer({ _tag: "Done", answer: exit.value })
        }
        pieces.close(exit)
      }))
    return Effect.as(Effect.forkIn(whole, scope), Stream.repeatEffectChunkOption(pieces.take))
  }))

/** Reads a model's stream to its last piece; hands its text on where there is someone to hand it to. */
const collect = (
  attempt: Attempt.Attempt,
  pieces: Pieces | undefined
): Effect.Effect<Chat.TextAnswer, LlmError.LlmError> => {
  const { request, target } = attempt.asking
  let done: Chat.TextAnswer | undefined
  /** Text of spaces only is no first text yet. */
  let blank = ""

  const receive = (text: string): void => {
    if (attempt.text === "" && text.trim() === "") {
      blank += text
      return
    }
    const whole = blank + text
    blank = ""
    attempt.received(whole, pieces !== undefined)
    pieces?.offer({ _tag: "Text", text: whole })
  }

  return Effect.flatMap(
    Stream.runForEachChunk(
      Stream.takeUntil(target.model.streamText(request, attempt), (delta) => delta._tag === "Done"),
      (chunk) => {
        // It was given up and does not stop: another may be talking already.
        if (attempt.isOver) return Effect.void
        for (const delta of chunk) {
          if (delta._tag === "Text") receive(delta.text)
          else done = delta.answer
        }
        if (pieces === undefined || !pieces.isFull) return Effect.void
        attempt.pause()
        return Effect.map(pieces.room, () => attempt.resume())
      }
    ),
    () => {
      if (done === undefined) return unfinished(target.model.provider)
      if (attempt.text === "" && done.text.trim() !== "") receive(done.text)
      return attempt.text === "" ? empty(target.model.provider, done.usage) : Exit.succeed(done)
    }
  )
}

const unfinished = (provider: string): Exit.Exit<never, LlmError.LlmError> =>
  Exit.fail(
    new LlmError.LlmError({
      reason: "Malformed",
      provider,
      description: "the stream ended before the answer was complete"
    })
  )

const empty = (provider: string, usage: Chat.Usage): Exit.Exit<never, LlmError.LlmError> =>
  Exit.fail(
    new LlmError.LlmError({
      reason: "Degraded",
      provider,
      description: "the stream ended without any text",
      flaw: "empty",
      usage
    })
  )
