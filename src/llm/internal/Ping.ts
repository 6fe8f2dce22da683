/**
 * Whether any model of a chain can be asked.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as FiberRef from "effect/FiberRef"
import * as TimeLimit from "../../policy/TimeLimit.js"
import type * as Chat from "../Chat.js"
import * as LlmError from "../LlmError.js"
import type * as Run from "./Run.js"

/**
 * Succeeds with the first model that can be asked; none is given longer than a
 * response's headers may take.
 *
 * @since 0.1.0
 * @category constructors
 */
export const any = (engine: Run.Engine): Effect.Effect<void, LlmError.LlmError> =>
  Effect.clockWith((clock) =>
    Effect.flatMap(FiberRef.get(TimeLimit.current), (limit) => {
      const now = () => Number(clock.unsafeCurrentTimeNanos()) / 1e6
      const deadline = Math.min(limit, now() + engine.millis.deadline)
      const trail: Array<Chat.Attempt> = []

      const from = (index: number): Effect.Effect<void, LlmError.LlmError> => {
        const target = engine.targets[index]
        if (target === undefined) return Effect.fail(silent(engine.name, trail))
        const startedAt = now()
        const duration = Math.max(0, Math.min(engine.millis.headers, deadline - startedAt))
        const { model, provider } = target.model
        return Effect.catchAll(
          engine.watch.run(target.model.ping, { duration, onTimeout: () => late(provider, duration) }),
          ({ reason }) => {
            trail.push({ provider, model, outcome: "failed", reason, elapsedMs: Math.max(0, now() - startedAt) })
            return from(index + 1)
          }
        )
      }
      return from(0)
    })
  )

const late = (provider: string, millis: number): Effect.Effect<never, LlmError.LlmError> =>
  Effect.fail(
    new LlmError.LlmError({
      reason: "TimedOut",
      provider,
      phase: "headers",
      description: `no answer within ${Math.round(millis)} ms`
    })
  )

const silent = (provider: string, attempts: ReadonlyArray<Chat.Attempt>): LlmError.LlmError =>
  new LlmError.LlmError({ reason: "Exhausted", provider, description: "no model can be asked", attempts })
