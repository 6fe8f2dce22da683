/**
 * Runs a call once, however often it is sent.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import type * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as FiberId from "effect/FiberId"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import type { IdempotencyStore, Unavailable } from "../../policy/IdempotencyStore.js"
import { maxAnswerBytes } from "../../policy/IdempotencyStore.js"
import type { Idempotent } from "../../policy/Policy.js"
import * as TimeLimit from "../../policy/TimeLimit.js"
import type { ToolResult } from "../../protocol/McpSchema.js"
import type * as Tool from "../../tool/Tool.js"
import type { ToolCodec } from "../../tool/ToolCodec.js"
import type { Body } from "../../tool/ToolError.js"
import { ToolError } from "../../tool/ToolError.js"
import * as CallKey from "../CallKey.js"
import type { Answered, Ending, Next, Outcome, Visit } from "./Visit.js"
import { Failed, refuse } from "./Visit.js"
import * as Written from "./Written.js"

/**
 * The key under a request's `_meta` by which a client names a sending.
 *
 * @since 0.1.0
 * @category constants
 */
export const metaKey = "dev.causeway/idempotencyKey"

/**
 * @since 0.1.0
 * @category configuration
 */
export interface Options {
  readonly tool: Tool.Any
  readonly codec: Pick<ToolCodec, "description" | "fits">
  readonly store: Context.Tag.Service<IdempotencyStore>
  readonly policy: Idempotent
}

/** How long a key is held by a process that died. */
const leaseMillis = 15_000

/** How often the end of a call is told again to a store that did not answer: for as long as the lease lasts. */
const again = Schedule.intersect(Schedule.spaced("1 second"), Schedule.recurs(leaseMillis / 1000 - 1))

/** How long those wait who cannot hear of the end of the first call, at first and at most. */
const firstLook = 50
const longestLook = 500

const maxKeyLength = 256

/** What an effectful call may have done before it ended so. */
const isUnknown: ReadonlySet<string> = new Set(["timed_out", "internal"])

const unknownEnd = (tool: string): Body => ({
  code: "internal",
  message:
    `An earlier call of ${tool} under this key ended without an answer, and nobody knows whether it took effect. ` +
    "Look before you send it again under another key.",
  retryable: false
})

/** What is told of a call that was answered, where the answer cannot be given again. */
const answerLost = (tool: string, why: string): Body => ({
  code: "internal",
  message: `An earlier call of ${tool} under this key was answered, so it is not made again; ${why}.`,
  retryable: false
})

const write = (answer: Answered | Failed): string =>
  answer._tag === "Answered" ? `A${Written.keep(answer.result)}` : `F${JSON.stringify(answer.body)}`

const foreign = Exit.die(new Error("the store of idempotency keys holds what nobody here wrote"))

const replayed = (result: ToolResult): Ending =>
  Exit.succeed({ _tag: "Answered", result, confidence: undefined, isDegraded: false, isCached: true })

/**
 * @since 0.1.0
 * @category constructors
 */
export const make = ({ codec, policy, store, tool }: Options) => {
  const keepMillis = Duration.toMillis(policy.keep ?? "24 hours")
  /** The calls of this process that are under way, by their keys. */
  const running = new Map<string, Deferred.Deferred<void>>()

  const keyOf = (visit: Visit): string | undefined | Failed => {
    if (policy.key !== undefined) return policy.key(visit.input)
    const { meta } = visit.request
    const given = Object.hasOwn(meta, metaKey) ? meta[metaKey] : undefined
    if (given === undefined) return undefined
    return typeof given === "string" && given !== "" && given.length <= maxKeyLength ? given : new Failed({
      code: "invalid_input",
      message: `_meta["${metaKey}"] must be a string of 1 to ${maxKeyLength} characters.`,
      retryable: false
    })
  }

  const logged = (error: Unavailable): Effect.Effect<void> =>
    Effect.logWarning(`The end of a call of ${tool.name} could not be kept: ${error.message}`, error)

  const keptAnswer = (answer: Answered): string | undefined => {
    const text = write(answer)
    if (Buffer.byteLength(text) <= maxAnswerBytes) return text
    // What is safe to repeat is made again; what is not must be known to have been made.
    return tool.safety === "effectful"
      ? write(new Failed(answerLost(tool.name, "the answer was too large to be kept")))
      : undefined
  }

  /** Whether an answer is still one that the tool declares: it may be that of an earlier version. */
  const isCurrent = ({ isError, structuredJson }: ToolResult): boolean => {
    if (isError || codec.description.outputSchema === undefined) return true
    return structuredJson !== undefined && codec.fits(JSON.parse(structuredJson))
  }

  const replay = (text: string): Ending => {
    if (text.startsWith("F")) return Exit.fail(new Failed(JSON.parse(text.slice(1)) as Body))
    const result = Written.read(text.slice(1))
    if (result === undefined) return foreign
    return isCurrent(result)
      ? replayed(result)
      : Exit.fail(new Failed(answerLost(tool.name, "the answer is of an earlier version of the tool")))
  }

  /** What is kept of the end of a call; `undefined` when it came to nothing and may be made anew. */
  const kept = (visit: Visit, exit: Exit.Exit<Outcome, unknown>): string | undefined => {
    if (Exit.isSuccess(exit)) return exit.value._tag === "Answered" ? keptAnswer(exit.value) : undefined
    if (tool.safety !== "effectful" || !visit.isBegun) return undefined
    const error = Option.getOrUndefined(Cause.failureOption(exit.cause))
    const isOpen = error === undefined || (error instanceof Failed && isUnknown.has(error.body.code))
    return isOpen ? write(new Failed(unknownEnd(tool.name))) : undefined
  }

  const run = (
    visit: Visit,
    next: Next,
    key: string,
    token: string,
    restore: <A, E>(self: Effect.Effect<A, E>) => Effect.Effect<A, E>
  ): Ending => {
    const ended = Deferred.unsafeMake<void>(FiberId.none)
    running.set(key, ended)
    const alive = store.extend(key, token, leaseMillis).pipe(
      Effect.catchAll(() => Effect.succeed(true)),
      Effect.repeat({
        while: (isHeld) => isHeld,
        schedule: Schedule.spaced(Duration.millis(leaseMillis / 3))
      }),
      Effect.delay(Duration.millis(leaseMillis / 3)),
      Effect.locally(TimeLimit.current, Infinity),
      Effect.interruptible
    )
    return Effect.flatMap(
      Effect.fork(alive),
      (heart) =>
        Effect.onExit(restore(Effect.suspend(() => next(visit))), (exit) => {
          const json = kept(visit, exit)
          const end: Effect.Effect<unknown, Unavailable> = json === undefined
            ? store.release(key, token)
            : store.answer(key, token, json, keepMillis)
          return Fiber.interruptFork(heart).pipe(
            // What was done is told again while the lease may still be held: else the call could be made twice.
            Effect.zipRight(Effect.catchAll(end, () =>
              Effect.forkDaemon(Effect.catchAll(Effect.retry(Effect.interruptible(end), again), logged)))),
            // The call may have ended because its time is over.
            Effect.locally(TimeLimit.current, Infinity),
            Effect.ensuring(Effect.sync(() => {
              if (running.get(key) === ended) {
                running.delete(key)
              }
              Deferred.unsafeDone(ended, Effect.void)
            }))
          )
        })
    )
  }

  const attempt = (visit: Visit, next: Next, key: string, print: string, look: number): Ending =>
    Effect.uninterruptibleMask((restore) =>
      Effect.matchEffect(store.claim(key, print, leaseMillis), {
        onFailure: (error): Ending => {
          if (policy.runsWithoutStore === true) return restore(Effect.suspend(() => next(visit)))
          visit.observation?.step?.("idempotency", "refused")
          return Effect.zipRight(
            Effect.logWarning(`A call of ${tool.name} was not made: ${error.message}`, error),
            refuse(
              new ToolError({
                code: "temporarily_unavailable",
                message: `Whether this call of ${tool.name} was made before cannot be told now, so it was not made. ` +
                  "Send it again shortly, with the same key.",
                source: "idempotency-store"
              })
            )
          )
        },
        onSuccess: (claim): Ending => {
          switch (claim._tag) {
            case "Claimed":
              return run(visit, next, key, claim.token, restore)
            case "Answered":
              visit.observation?.step?.("idempotency", "replayed")
              return replay(claim.json)
            case "Mismatch":
              visit.observation?.step?.("idempotency", "mismatch")
              return refuse(
                new ToolError({
                  code: "invalid_input",
                  message:
                    `This key was sent with other arguments before. Use a new key for a new call of ${tool.name}.`
                })
              )
            case "Running":
              if (look === firstLook) visit.observation?.step?.("idempotency", "waited")
              return restore(wait(visit, next, key, print, look))
          }
        }
      })
    )

  const wait = (visit: Visit, next: Next, key: string, print: string, look: number): Ending =>
    Effect.flatMap(TimeLimit.remaining, (left): Ending => {
      if (left <= 0) {
        return refuse(
          new ToolError({
            code: "timed_out",
            message: `The first call of ${tool.name} under this key has not ended yet. ` +
              "Send it again with the same key to get its answer."
          })
        )
      }
      const pause = Effect.sleep(Duration.millis(Math.ceil(Math.min(left, look))))
      const here = running.get(key)
      return Effect.zipRight(
        here === undefined ? pause : Effect.raceFirst(Deferred.await(here), pause),
        attempt(visit, next, key, print, Math.min(2 * look, longestLook))
      )
    })

  return (next: Next): Next => (visit) => {
    const given = keyOf(visit)
    if (given === undefined) return next(visit)
    if (given instanceof Failed) {
      visit.observation?.step?.("idempotency", "refused")
      return Exit.fail(given)
    }
    const { arguments: sent, caller } = visit.request
    const key = CallKey.ofSending(tool.name, caller, given)
    return Effect.suspend(() => attempt(visit, next, key, CallKey.fingerprint(sent), firstLook))
  }
}
