/**
 * What one call knows of its questions to the client: which were answered, and
 * what was computed before them. A call that lacks an answer ends, and is run
 * again from its start when the answer has come.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { isObject, type Json } from "../protocol/JsonRpc.js"
import type { ClientCapabilities } from "../protocol/McpSchema.js"

/**
 * A question, as it stands on the wire.
 *
 * @since 0.1.0
 * @category models
 */
export interface Request {
  readonly method: string
  readonly params: Json
}

/**
 * What is carried from one run of a call to the next. Plain JSON.
 *
 * @since 0.1.0
 * @category models
 */
export interface Memo {
  /** The client's results by the key of the question. */
  readonly answers: { readonly [key: string]: Json }
  /** What the steps before a question gave, by their names. */
  readonly steps: { readonly [name: string]: unknown }
  /** The keys that were asked and not yet answered; answers to any other key are ignored. */
  readonly open: ReadonlyArray<string>
}

/**
 * The memo of a call's first run.
 *
 * @since 0.1.0
 * @category constructors
 */
export const nothing: Memo = Object.freeze({ answers: {}, steps: {}, open: [] })

/**
 * What a call is run with.
 *
 * @since 0.1.0
 * @category models
 */
export interface Inputs {
  readonly memo: Memo
  /** New answers by their keys: untrusted. */
  readonly responses: { readonly [key: string]: unknown }
  /** What the client declares it can be asked. */
  readonly clientCapabilities: ClientCapabilities
}

/**
 * The call cannot go on without these answers.
 *
 * @since 0.1.0
 * @category models
 */
export interface Paused {
  readonly _tag: "Paused"
  readonly requests: { readonly [key: string]: Request }
  readonly memo: Memo
}

/**
 * One run of a call. Mutable, and private to that run.
 *
 * @since 0.1.0
 * @category models
 */
export interface Run {
  readonly clientCapabilities: ClientCapabilities
  readonly answers: Map<string, Json>
  readonly steps: Map<string, unknown>
  /** The questions of this run that have no answer. */
  readonly asked: Map<string, Request>
  /** How many questions without a name of their own this run has met. */
  unnamed: number
}

/**
 * Supplied per call by whoever runs it, never by a layer.
 *
 * @since 0.1.0
 * @category tags
 */
export class Asking extends Context.Tag("causeway/Asking")<Asking, Run>() {}

/**
 * Begins a run.
 *
 * @since 0.1.0
 * @category constructors
 */
export const start = ({ clientCapabilities, memo, responses }: Inputs): Run => {
  const answers = new Map(Object.entries(memo.answers))
  for (const key of memo.open) {
    const response = Object.hasOwn(responses, key) ? responses[key] : undefined
    if (isObject(response)) answers.set(key, response)
  }
  return { clientCapabilities, answers, steps: new Map(Object.entries(memo.steps)), asked: new Map(), unnamed: 0 }
}

/** Ends a run that lacks an answer. A defect, so that nothing but the runner answers for it. */
class Unanswered extends Error {
  constructor() {
    super("the call waits for an answer of the client; a handler must not catch this")
    this.name = "Unanswered"
  }
}

/**
 * Ends this run: it lacks answers to these questions.
 *
 * @since 0.1.0
 * @category combinators
 */
export const pause = (run: Run, requests: Iterable<readonly [string, Request]>): Effect.Effect<never> =>
  Effect.suspend(() => {
    for (const [key, request] of requests) run.asked.set(key, request)
    return Effect.die(new Unanswered())
  })

/**
 * What a run that has ended still wants to know; `undefined` when nothing. Look
 * at it before the run's own outcome, which means nothing if there is a question.
 *
 * @since 0.1.0
 * @category accessors
 */
export const paused = (run: Run): Paused | undefined =>
  run.asked.size === 0 ? undefined : {
    _tag: "Paused",
    requests: Object.fromEntries(run.asked),
    memo: {
      answers: Object.fromEntries(run.answers),
      steps: Object.fromEntries(run.steps),
      open: [...run.asked.keys()]
    }
  }
