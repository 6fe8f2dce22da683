/**
 * Logs why messages of one connection were refused, and nothing of what they
 * said: ten a second at most, and how many more there were.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Runtime from "effect/Runtime"
import type * as Scope from "effect/Scope"
import type { McpError } from "../../protocol/McpError.js"
import { Code } from "../../protocol/McpError.js"

/** @internal */
export interface RefusalLog {
  readonly note: (refusal: McpError) => void
}

const mostLines = 10
const windowMillis = 1000

/** A reason may quote a method, which the peer chose. */
const oneLine = (text: string): string => text.replace(/\p{Cc}/gu, " ")

const lineOf = ({ code, message }: McpError): Effect.Effect<void> => {
  const line = `A message was refused: ${oneLine(message)}`
  // Clients find out by such requests what a server has: nothing is wrong then.
  return code === Code.MethodNotFound ? Effect.logDebug(line) : Effect.logWarning(line)
}

/** @internal */
export const make: Effect.Effect<RefusalLog, never, Scope.Scope> = Effect.gen(function*() {
  const clock = yield* Effect.clock
  const fork = Runtime.runFork(yield* Effect.runtime<never>())
  let since = Number.NEGATIVE_INFINITY
  let lines = 0
  let leftOut = 0
  let later: Fiber.RuntimeFiber<void> | undefined

  const sumUp = (): void => {
    if (leftOut > 0) fork(Effect.logWarning(`${leftOut} more messages of this connection were refused`))
    leftOut = 0
  }

  yield* Effect.addFinalizer(() => {
    sumUp()
    return later === undefined ? Effect.void : Fiber.interrupt(later)
  })

  return {
    note: (refusal) => {
      const now = clock.unsafeCurrentTimeMillis()
      if (Math.abs(now - since) >= windowMillis) {
        sumUp()
        since = now
        lines = 0
      }
      if (lines < mostLines) {
        lines += 1
        fork(lineOf(refusal))
        return
      }
      leftOut += 1
      later ??= fork(Effect.delay(
        Effect.sync(() => {
          later = undefined
          sumUp()
        }),
        Duration.millis(windowMillis)
      ))
    }
  }
})
