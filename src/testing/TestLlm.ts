/**
 * A model that follows a script: answers, failures and delays in order, under
 * whatever clock the test has. It keeps the requests it saw.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Ref from "effect/Ref"
import * as Stream from "effect/Stream"
import type * as Chat from "../llm/Chat.js"
import * as Llm from "../llm/Llm.js"
import * as LlmError from "../llm/LlmError.js"
import * as Prompt from "../llm/Prompt.js"
import type { JsonSchema } from "../protocol/JsonSchema.js"

/**
 * What the model does with one request. `delay` goes by the `Clock`.
 *
 * @since 0.1.0
 * @category models
 */
export type Step =
  | {
    readonly _tag: "Text"
    readonly text: string
    readonly delay?: Duration.DurationInput | undefined
    readonly usage?: Chat.Usage | undefined
  }
  | {
    readonly _tag: "Object"
    readonly value: unknown
    readonly delay?: Duration.DurationInput | undefined
    readonly usage?: Chat.Usage | undefined
  }
  | {
    readonly _tag: "Fail"
    readonly reason: LlmError.Reason
    readonly retryAfterMs?: number | undefined
    readonly delay?: Duration.DurationInput | undefined
    /** In a stream: this text comes before the failure. */
    readonly after?: string | undefined
  }
  | { readonly _tag: "Hang" }

/**
 * Answers with a text; to an object request, with that text as the JSON string.
 *
 * @since 0.1.0
 * @category constructors
 */
export const text = (
  text: string,
  options: { readonly delay?: Duration.DurationInput; readonly usage?: Chat.Usage } = {}
): Step => ({ _tag: "Text", text, ...options })

/**
 * Answers with a value; to a text request, with its JSON.
 *
 * @since 0.1.0
 * @category constructors
 */
export const object = (
  value: unknown,
  options: { readonly delay?: Duration.DurationInput; readonly usage?: Chat.Usage } = {}
): Step => ({ _tag: "Object", value, ...options })

/**
 * Fails for a reason.
 *
 * @since 0.1.0
 * @category constructors
 */
export const fail = (
  reason: LlmError.Reason,
  options: {
    readonly retryAfterMs?: number
    readonly delay?: Duration.DurationInput
    readonly after?: string
  } = {}
): Step => ({ _tag: "Fail", reason, ...options })

/**
 * Never answers.
 *
 * @since 0.1.0
 * @category constructors
 */
export const hang: Step = { _tag: "Hang" }

/**
 * A request as the model saw it.
 *
 * @since 0.1.0
 * @category models
 */
export interface Recorded {
  readonly method: "generateText" | "generateObject" | "streamText"
  readonly request: Chat.Request & { readonly schema?: JsonSchema }
  /** Milliseconds of the test's clock. */
  readonly at: number
}

/**
 * The model and its controls.
 *
 * @since 0.1.0
 * @category models
 */
export interface Script extends Llm.Model {
  /** Every request so far, oldest first. */
  readonly requests: Effect.Effect<ReadonlyArray<Recorded>>
  /** Adds steps to the end of the script. */
  readonly push: (...steps: ReadonlyArray<Step>) => Effect.Effect<void>
  /** How many steps are left. */
  readonly remaining: Effect.Effect<number>
  /** How many requests were interrupted before their step was over. */
  readonly interrupted: Effect.Effect<number>
}

/**
 * The script behind the `Llm` of `layer`.
 *
 * @since 0.1.0
 * @category tags
 */
export class TestLlm extends Context.Tag("causeway/TestLlm")<TestLlm, Script>() {}

/**
 * Builds a model that takes one step per request. `otherwise` answers when the
 * steps are used up; without it that is a defect that says so, because a test
 * that asks more often than it planned is wrong. `ping` always succeeds.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: {
  readonly steps?: ReadonlyArray<Step> | undefined
  readonly otherwise?: ((request: Chat.Request & { readonly schema?: JsonSchema }) => Step) | undefined
  /** `test` unless given. */
  readonly provider?: string | undefined
  /** `scripted` unless given. */
  readonly model?: string | undefined
} = {}): Effect.Effect<Script> =>
  Effect.gen(function*() {
    const provider = options.provider ?? "test"
    const model = options.model ?? "scripted"
    const queue = yield* Ref.make<ReadonlyArray<Step>>(options.steps ?? [])
    const log = yield* Ref.make<ReadonlyArray<Recorded>>([])
    const cut = yield* Ref.make(0)

    const take = (method: Recorded["method"], request: Recorded["request"]): Effect.Effect<Step> =>
      Effect.gen(function*() {
        const at = yield* Clock.currentTimeMillis
        yield* Ref.update(log, (seen) => [...seen, { method, request, at }])
        const step = yield* Ref.modify(queue, (steps) => [steps[0], steps.slice(1)])
        if (step !== undefined) return step
        if (options.otherwise !== undefined) return options.otherwise(request)
        return yield* Effect.dieMessage(`the script of ${provider}/${model} has no step for request ${method}`)
      })

    const failure = (step: Extract<Step, { readonly _tag: "Fail" }>) =>
      new LlmError.LlmError({
        reason: step.reason,
        provider,
        description: `scripted ${step.reason}`,
        ...(step.retryAfterMs === undefined ? {} : { retryAfterMs: step.retryAfterMs })
      })

    const play = <A>(
      step: Step,
      answer: (step: Answering) => A
    ): Effect.Effect<A & Chat.Provenance, LlmError.LlmError> => {
      if (step._tag === "Hang") return Effect.never
      const body = step._tag === "Fail" ? Effect.fail(failure(step)) : Effect.succeed(step)
      return Effect.timed(step.delay === undefined ? body : Effect.delay(body, step.delay)).pipe(
        Effect.map(([elapsed, step]) => ({
          ...answer(step),
          provider,
          model,
          usage: step.usage ?? {},
          attempts: [{ provider, model, outcome: "answered" as const, elapsedMs: Duration.toMillis(elapsed) }]
        }))
      )
    }

    const countCut = <A, E>(self: Effect.Effect<A, E>): Effect.Effect<A, E> =>
      Effect.onInterrupt(self, () => Ref.update(cut, (n) => n + 1))

    const answerText = (request: Chat.Request) => (step: Answering) => {
      const text = step._tag === "Text" ? step.text : JSON.stringify(step.value)
      return { text, citations: Prompt.citations(text, (request.context ?? []).map((passage) => passage.id)) }
    }

    return {
      provider,
      model,
      generateText: (request) =>
        Effect.flatMap(take("generateText", request), (step) => countCut(play(step, answerText(request)))),
      generateObject: (request) =>
        Effect.flatMap(take("generateObject", request), (step) =>
          countCut(play(step, (step) => ({ value: step._tag === "Text" ? step.text : step.value })))),
      streamText: (request) =>
        Stream.unwrap(Effect.map(take("streamText", request), (step) => {
          const whole = countCut(play(step, answerText(request)))
          const answered = Stream.flatMap(Stream.fromEffect(whole), (answer) =>
            Stream.make<[Chat.Delta, Chat.Delta]>({ _tag: "Text", text: answer.text }, { _tag: "Done", answer }))
          return step._tag === "Fail" && step.after !== undefined
            ? Stream.concat(Stream.make<[Chat.Delta]>({ _tag: "Text", text: step.after }), answered)
            : answered
        })),
      ping: Effect.void,
      requests: Ref.get(log),
      push: (...steps) =>
        Ref.update(queue, (queued) => [...queued, ...steps]),
      remaining: Effect.map(Ref.get(queue), (steps) => steps.length),
      interrupted: Ref.get(cut)
    }
  })

type Answering = Extract<Step, { readonly _tag: "Text" | "Object" }>

/**
 * Provides a scripted model as the `Llm`, and its controls as `TestLlm`.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (options: Parameters<typeof make>[0] = {}): Layer.Layer<Llm.Llm | TestLlm> =>
  Layer.effectContext(
    Effect.map(make(options), (script) => Context.make(Llm.Llm, script).pipe(Context.add(TestLlm, script)))
  )
