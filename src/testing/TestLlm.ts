/**
 * A model that follows a script: answers, failures and delays in order, under
 * whatever clock the test has. It keeps the requests it saw.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Ref from "effect/Ref"
import * as Stream from "effect/Stream"
import type * as Chat from "../llm/Chat.js"
import * as Llm from "../llm/Llm.js"
import * as LlmError from "../llm/LlmError.js"
import * as Prompt from "../llm/Prompt.js"
import type { JsonSchema } from "../protocol/JsonSchema.js"

/**
 * A phase that a step tells its observer of, after a wait.
 *
 * @since 0.1.0
 * @category models
 */
export interface Entered {
  readonly phase: Chat.Phase
  readonly after?: Duration.DurationInput | undefined
}

/**
 * How a step goes about it. Times go by the `Clock`.
 *
 * @since 0.1.0
 * @category models
 */
export interface Manner {
  /** Before the answer, or the first text of a stream; after the `phases`. */
  readonly delay?: Duration.DurationInput | undefined
  readonly usage?: Chat.Usage | undefined
  /** The phases it enters one after the other. */
  readonly phases?: ReadonlyArray<Entered> | undefined
  /** What it tells of its limits. */
  readonly remaining?: { readonly requests?: number; readonly tokens?: number } | undefined
}

/**
 * How an answer is given.
 *
 * @since 0.1.0
 * @category models
 */
export interface AnswerManner extends Manner {
  /** The name of the model that says it answered. */
  readonly model?: string | undefined
  /** The pieces of a stream; the whole text is one unless given. */
  readonly pieces?: ReadonlyArray<string> | undefined
  /** Between two pieces of a stream. */
  readonly gap?: Duration.DurationInput | undefined
  /** Whether a stream ends without its last piece. */
  readonly isCut?: boolean | undefined
}

/**
 * How a failure comes about, and what it says.
 *
 * @since 0.1.0
 * @category models
 */
export interface FailManner extends Manner {
  readonly retryAfterMs?: number | undefined
  readonly status?: number | undefined
  readonly phase?: Chat.Phase | undefined
  readonly flaw?: Chat.Flaw | undefined
  /** The text there was. */
  readonly partial?: string | undefined
  /** In a stream: this text comes before the failure. */
  readonly after?: string | undefined
  /** Between that text and the failure. */
  readonly gap?: Duration.DurationInput | undefined
}

/**
 * What the model does with one request.
 *
 * @since 0.1.0
 * @category models
 */
export type Step =
  | { readonly _tag: "Text"; readonly text: string } & AnswerManner
  | { readonly _tag: "Object"; readonly value: unknown } & AnswerManner
  | { readonly _tag: "Fail"; readonly reason: LlmError.Reason } & FailManner
  | { readonly _tag: "Hang" } & Manner

/**
 * Answers with a text; to an object request, with that text as the JSON string.
 *
 * @since 0.1.0
 * @category constructors
 */
export const text = (text: string, manner: AnswerManner = {}): Step => ({ ...manner, _tag: "Text", text })

/**
 * Answers with a value; to a text request, with its JSON.
 *
 * @since 0.1.0
 * @category constructors
 */
export const object = (value: unknown, manner: AnswerManner = {}): Step => ({ ...manner, _tag: "Object", value })

/**
 * Answers a stream with several pieces, and anything else with all of them as one.
 *
 * @since 0.1.0
 * @category constructors
 */
export const pieces = (pieces: ReadonlyArray<string>, manner: AnswerManner = {}): Step =>
  text(pieces.join(""), { ...manner, pieces })

/**
 * Fails for a reason.
 *
 * @since 0.1.0
 * @category constructors
 */
export const fail = (reason: LlmError.Reason, manner: FailManner = {}): Step => ({ ...manner, _tag: "Fail", reason })

/**
 * Never answers.
 *
 * @since 0.1.0
 * @category constructors
 */
export const hang: Step = { _tag: "Hang" }

/**
 * Never answers, after phases it enters.
 *
 * @since 0.1.0
 * @category constructors
 */
export const hangIn = (...phases: ReadonlyArray<Entered>): Step => ({ _tag: "Hang", phases })

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
  /** What it says of itself; nothing unless given. */
  readonly traits?: Llm.Traits | undefined
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
        ...(step.retryAfterMs === undefined ? {} : { retryAfterMs: step.retryAfterMs }),
        ...(step.status === undefined ? {} : { status: step.status }),
        ...(step.phase === undefined ? {} : { phase: step.phase }),
        ...(step.flaw === undefined ? {} : { flaw: step.flaw }),
        ...(step.usage === undefined ? {} : { usage: step.usage }),
        ...(step.partial === undefined ? {} : { partial: Redacted.make(step.partial) })
      })

    const play = (step: Step, observer: Llm.Observer | undefined): Effect.Effect<Played, LlmError.LlmError> =>
      Effect.gen(function*() {
        const startedAt = yield* Clock.currentTimeMillis
        for (const { after, phase } of step.phases ?? []) {
          if (after !== undefined) yield* Effect.sleep(after)
          observer?.enter(phase)
        }
        if (step.remaining !== undefined) observer?.remaining(step.remaining)
        if (step._tag === "Hang") return yield* Effect.never
        if (step.delay !== undefined) yield* Effect.sleep(step.delay)
        return step._tag === "Fail" && step.after === undefined
          ? yield* Effect.fail(failure(step))
          : { step, startedAt }
      })

    const provenance = (step: Answering, startedAt: number): Effect.Effect<Chat.Provenance> =>
      Effect.map(Clock.currentTimeMillis, (now) => {
        const answering = step.model ?? model
        return {
          provider,
          model: answering,
          usage: step.usage ?? {},
          attempts: [{ provider, model: answering, outcome: "answered", elapsedMs: now - startedAt }]
        }
      })

    const answered = <A>(step: Answering, startedAt: number, answer: (step: Answering) => A) =>
      Effect.map(provenance(step, startedAt), (known) => ({ ...known, ...answer(step) }))

    const whole = <A>(step: Step, observer: Llm.Observer | undefined, answer: (step: Answering) => A) =>
      Effect.flatMap(play(step, observer), (played) =>
        played.step._tag === "Fail"
          ? Effect.fail(failure(played.step))
          : answered(played.step, played.startedAt, answer))

    const countCut = <A, E>(self: Effect.Effect<A, E>): Effect.Effect<A, E> =>
      Effect.onInterrupt(self, () => Ref.update(cut, (n) => n + 1))

    const answerText = (request: Chat.Request) => (step: Answering) => {
      const text = textOf(step)
      return { text, citations: Prompt.citations(text, (request.context ?? []).map((passage) => passage.id)) }
    }

    const say = (text: string, observer: Llm.Observer | undefined): Effect.Effect<Chat.Delta> =>
      Effect.sync(() => {
        if (text !== "") observer?.enter("idle")
        return { _tag: "Text", text }
      })

    const told = (
      { startedAt, step }: Played,
      request: Chat.Request,
      observer: Llm.Observer | undefined
    ): Stream.Stream<Chat.Delta, LlmError.LlmError> => {
      if (step._tag === "Fail") {
        const failing = Effect.fail(failure(step))
        return Stream.concat(
          Stream.fromEffect(say(step.after ?? "", observer)),
          Stream.fromEffect(step.gap === undefined ? failing : Effect.delay(failing, step.gap))
        )
      }
      const texts = Stream.fromIterable((step.pieces ?? [textOf(step)]).entries()).pipe(
        Stream.mapEffect(([index, piece]) =>
          index > 0 && step.gap !== undefined
            ? Effect.delay(say(piece, observer), step.gap)
            : say(piece, observer)
        )
      )
      const done = Effect.map(provenance(step, startedAt), (known): Chat.Delta => ({
        _tag: "Done",
        answer: { ...known, ...answerText(request)(step) }
      }))
      return step.isCut === true ? texts : Stream.concat(texts, Stream.fromEffect(done))
    }

    return {
      provider,
      model,
      ...(options.traits === undefined ? {} : { traits: options.traits }),
      generateText: (request, observer) =>
        Effect.flatMap(take("generateText", request), (step) => countCut(whole(step, observer, answerText(request)))),
      generateObject: (request, observer) =>
        Effect.flatMap(
          take("generateObject", request),
          (step) =>
            countCut(whole(step, observer, (step) => ({ value: step._tag === "Text" ? step.text : step.value })))
        ),
      streamText: (request, observer) =>
        Stream.unwrap(Effect.map(take("streamText", request), (step) =>
          Stream.flatMap(
            Stream.fromEffect(countCut(play(step, observer))),
            (played) => told(played, request, observer)
          ))),
      ping: Effect.void,
      requests: Ref.get(log),
      push: (...steps) => Ref.update(queue, (queued) => [...queued, ...steps]),
      remaining: Effect.map(Ref.get(queue), (steps) => steps.length),
      interrupted: Ref.get(cut)
    }
  })

/** A step that has come to its answer, or to the text before its failure. */
interface Played {
  readonly step: Exclude<Step, { readonly _tag: "Hang" }>
  readonly startedAt: number
}

const textOf = (step: Answering): string => step._tag === "Text" ? step.text : JSON.stringify(step.value)

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
