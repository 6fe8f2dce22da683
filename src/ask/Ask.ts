/**
 * Asks the user, in the middle of a call: a form to fill in, a link to open; and
 * keeps what was done before the question from being done twice.
 *
 * A call that lacks an answer ends, and is run again from its start when the
 * answer has come. So a handler has to ask the same questions in the same order
 * each time it is run: let nothing but its input, the answers and remembered
 * steps decide what it asks; or give its questions keys. Questions asked side by
 * side need keys, or `all`.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Effectable from "effect/Effectable"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as ClientCapability from "../protocol/ClientCapability.js"
import type { Json } from "../protocol/JsonRpc.js"
import type { JsonSchema } from "../protocol/JsonSchema.js"
import type { Request, Run } from "./Asking.js"
import * as Asking from "./Asking.js"
import * as FormSchema from "./internal/FormSchema.js"
import * as Remembered from "./internal/Remembered.js"
import * as RunState from "./internal/RunState.js"

/**
 * The most bytes that the answers and steps of one call may have together, as
 * JSON in UTF-8: they travel to the client and back with every question. A call
 * that needs more ends with a defect.
 *
 * @since 0.1.0
 * @category configuration
 */
export const maxStateBytes: number = RunState.maxBytes

/**
 * How often one question is asked until an answer fits.
 *
 * @since 0.1.0
 * @category configuration
 */
export const maxAttempts = 5

/**
 * There is no answer, and there will be none: the user said no, dismissed the
 * question, or gave no answer that fits in five attempts.
 *
 * @since 0.1.0
 * @category errors
 */
export class NotAnswered extends Schema.TaggedError<NotAnswered>("causeway/Ask/NotAnswered")("NotAnswered", {
  how: Schema.Literal("declined", "cancelled"),
  message: Schema.String
}) {
  get isRetryable() {
    return false
  }
}

/**
 * An answer that is none to this question; `why` says what did not fit, for the
 * user, without a full stop.
 *
 * @since 0.1.0
 * @category errors
 */
export class Misfit extends Data.TaggedError("Misfit")<{ readonly why: string }> {}

/**
 * @since 0.1.0
 * @category symbols
 */
export const TypeId: unique symbol = Symbol.for("~causeway/Question")

/**
 * @since 0.1.0
 * @category symbols
 */
export type TypeId = typeof TypeId

/**
 * A question to the client. It is an effect that succeeds with the answer; where
 * there is none yet, the run ends here and the question is asked.
 *
 * @since 0.1.0
 * @category models
 */
export interface Question<out A> extends Effect.Effect<A, NotAnswered, Asking.Asking> {
  readonly [TypeId]: TypeId
  readonly request: Request
  /** Names the answer within the call; without one the question is numbered as it is met. */
  readonly key: string | undefined
  /** Reads the client's result. After a `Misfit` the question is asked again under a new key. */
  readonly decode: (result: Json) => Effect.Effect<A, Misfit | NotAnswered>
  /** The question as it is put after an answer that did not fit. */
  readonly again: (why: string) => Request
}

/**
 * What every question may be told.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /**
   * 1 to 64 letters, digits, `_`, `.` and `-`; begins with a letter or digit, and
   * does not end with a hyphen and a number, which mark questions asked again.
   */
  readonly key?: string | undefined
}

const keyShape = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/u
const numbered = /-\d+$/u

const checkKey = (key: string): void => {
  if (!keyShape.test(key) || numbered.test(key)) {
    throw new Error(
      `"${
        key.slice(0, 100)
      }" cannot be the key of a question: a key has 1 to 64 letters, digits, "_", "." and "-", begins with a letter or digit, and does not end with a hyphen and a number.`
    )
  }
}

/** An answer that is there, or the question under the key it is open by. */
type Found<A> =
  | { readonly _tag: "Answer"; readonly value: A }
  | { readonly _tag: "Open"; readonly key: string; readonly request: Request }

const gaveUp = (): NotAnswered =>
  new NotAnswered({
    how: "cancelled",
    message: `The question was asked ${maxAttempts} times and no answer fitted.`
  })

const attempt = <A>(
  run: Run,
  question: Question<A>,
  key: string,
  count: number,
  request: Request
): Effect.Effect<Found<A>, NotAnswered> => {
  const name = count === 1 ? key : `${key}-${count}`
  const answer = run.answers.get(name)
  if (answer === undefined) return Effect.succeed({ _tag: "Open", key: name, request })
  return question.decode(answer).pipe(
    Effect.map((value): Found<A> => ({ _tag: "Answer", value })),
    Effect.catchTag("Misfit", ({ why }) =>
      count === maxAttempts
        ? Effect.fail(gaveUp())
        : attempt(run, question, key, count + 1, question.again(why)))
  )
}

const find = <A>(run: Run, question: Question<A>, key: string): Effect.Effect<Found<A>, NotAnswered> => {
  const { questions } = RunState.metBefore(run)
  const other = questions.get(key)
  if (other !== undefined && other !== question) {
    return Effect.die(
      new Error(
        `Two questions of one call have the key "${key}"; give each its own, and repeat a handler by Ask.fromStart.`
      )
    )
  }
  questions.set(key, question)
  return attempt(run, question, key, 1, question.request)
}

const pause = (run: Run, open: ReadonlyArray<readonly [string, Request]>): Effect.Effect<never> => {
  const tooLarge = RunState.tooLarge(run, run.steps, [...run.asked.keys(), ...open.map(([key]) => key)])
  return tooLarge === undefined ? Asking.pause(run, open) : Effect.die(tooLarge)
}

class Asked<A> extends Effectable.Class<A, NotAnswered, Asking.Asking> implements Question<A> {
  readonly [TypeId]: TypeId = TypeId
  readonly request: Request
  readonly key: string | undefined
  readonly decode: (result: Json) => Effect.Effect<A, Misfit | NotAnswered>
  readonly again: (why: string) => Request

  constructor(fields: Pick<Question<A>, "request" | "key" | "decode" | "again">) {
    super()
    this.request = fields.request
    this.key = fields.key
    this.decode = fields.decode
    this.again = fields.again
  }

  override commit(): Effect.Effect<A, NotAnswered, Asking.Asking> {
    return Effect.flatMap(Asking.Asking, (run) => {
      const key = this.key ?? RunState.nextKey(run)
      if (key instanceof Error) return Effect.die(key)
      return Effect.flatMap(
        find(run, this, key),
        (found) => found._tag === "Answer" ? Effect.succeed(found.value) : pause(run, [[found.key, found.request]])
      )
    })
  }
}

/**
 * Makes a question of any method that a client can be asked by; `form` and `url`
 * are the common ones. Asked again it stays as it is unless `again` is given.
 * Throws when the key cannot be one.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = <A>(
  fields: Pick<Question<A>, "request" | "decode"> & Partial<Pick<Question<A>, "again">> & Options
): Question<A> => {
  const { again, decode, key, request } = fields
  if (key !== undefined) checkKey(key)
  return new Asked({ request, key, decode, again: again ?? (() => request) })
}

const elicitation = <A>(
  params: Json & { readonly message: string },
  accept: (content: unknown) => Effect.Effect<A, Misfit>,
  options: Options
): Question<A> => {
  const request = (message: string): Request => ({ method: "elicitation/create", params: { ...params, message } })
  return make({
    key: options.key,
    request: request(params.message),
    again: (why) => request(`The last answer did not fit: ${why}. ${params.message}`),
    decode: ({ action, content }) => {
      switch (action) {
        case "accept":
          return accept(content)
        case "decline":
          return Effect.fail(new NotAnswered({ how: "declined", message: "The user declined to answer." }))
        case "cancel":
          return Effect.fail(
            new NotAnswered({ how: "cancelled", message: "The user dismissed the question without an answer." })
          )
        default:
          return Effect.fail(new Misfit({ why: "it neither accepted, declined nor cancelled" }))
      }
    }
  })
}

/**
 * What a form can be filled in with.
 *
 * @since 0.1.0
 * @category models
 */
export type Field = string | number | boolean | ReadonlyArray<string> | undefined

/**
 * Asks the user to fill in a form, and succeeds with its decoded content. The
 * schema is a struct of strings, numbers, booleans, choices of one string and
 * choices of several, on its encoded side; titles, descriptions and defaults in
 * its annotations are shown. Content that does not fit is asked for again.
 * Fails with `NotAnswered` when the user declines or dismisses the form.
 *
 * Never ask for passwords, keys or card numbers so: the client sees what is
 * filled in. Use `url`. `requestedSchema` shows another form than the schema's
 * own. Throws when the schema cannot be a form, or the key cannot be one.
 *
 * @since 0.1.0
 * @category constructors
 */
export const form = <A, I extends { readonly [K in keyof I]: Field }>(
  message: string,
  schema: Schema.Schema<A, I>,
  options: Options & { readonly requestedSchema?: JsonSchema | undefined } = {}
): Question<A> => {
  const decode = FormSchema.decoder(schema)
  return elicitation(
    { message, requestedSchema: options.requestedSchema ?? FormSchema.fromSchema(schema) },
    // A form without required fields may come back without content.
    (content = {}) => Effect.mapError(decode(content), (why) => new Misfit({ why })),
    options
  )
}

const isLoopback = (host: string): boolean =>
  host === "localhost" || host.endsWith(".localhost") || host === "[::1]" || /^127(?:\.\d{1,3}){3}$/u.test(host)

const checkUrl = (text: string): string => {
  const url = URL.canParse(text) ? new URL(text) : undefined
  const isSafe = url !== undefined &&
    (url.protocol === "https:" || (url.protocol === "http:" && isLoopback(url.hostname)))
  if (!isSafe || url.username !== "" || url.password !== "") {
    throw new Error(
      "Ask.url takes an https address, or an http one on this machine, without a user name or password in it."
    )
  }
  return url.href
}

/**
 * Asks the user to open a link, for what must not pass through the client: a
 * sign-in, a payment, a secret. Succeeds when the user CONSENTS to open it, which
 * is not when it is done: look at your own state for that, and ask again. Fails
 * with `NotAnswered` when the user declines or dismisses the question.
 *
 * The link must hold nothing of the user (no name, no token that signs in) and
 * must ask whoever opens it to sign in; the page has to check that this is the
 * user who was asked, or somebody else can be made to open it. Credentials of
 * third parties stay between the page and the server. Throws for anything but
 * https, or http on a loopback host, and when the key cannot be one.
 *
 * @since 0.1.0
 * @category constructors
 */
export const url = (message: string, url: string, options: Options = {}): Question<void> =>
  elicitation({ mode: "url", message, url: checkUrl(url) }, () => Effect.void, options)

/**
 * Asks several questions at once and succeeds with all answers under the same
 * names. A question without a key of its own has its name as key. Fails as soon
 * as one of them is declined or dismissed.
 *
 * @since 0.1.0
 * @category combinators
 */
export const all = <const Questions extends { readonly [name: string]: Question<unknown> }>(
  questions: Questions
): Effect.Effect<
  { readonly [Name in keyof Questions]: Effect.Effect.Success<Questions[Name]> },
  NotAnswered,
  Asking.Asking
> =>
  Effect.flatMap(Asking.Asking, (run) =>
    Effect.flatMap(
      Effect.forEach(Object.entries(questions), ([name, question]) => {
        if (question.key === undefined) checkKey(name)
        return Effect.map(find(run, question, question.key ?? name), (found) => [name, found] as const)
      }),
      (found) => {
        const open = found.flatMap(([, one]) => (one._tag === "Open" ? [[one.key, one.request] as const] : []))
        if (open.length > 0) return pause(run, open)
        const answers = found.flatMap(([name, one]) => (one._tag === "Answer" ? [[name, one.value] as const] : []))
        // Each name has the answer that its own question decoded.
        return Effect.succeed(
          Object.fromEntries(answers) as {
            readonly [Name in keyof Questions]: Effect.Effect.Success<Questions[Name]>
          }
        )
      }
    ))

/**
 * Whether the client has declared that it can be asked this.
 *
 * @since 0.1.0
 * @category accessors
 */
export const isSupported = ({ request }: Question<unknown>): Effect.Effect<boolean, never, Asking.Asking> =>
  Effect.map(
    Asking.Asking,
    (run) => ClientCapability.missing(request.method, request.params, run.clientCapabilities) === undefined
  )

/**
 * Runs an effect once in a call, however often the call is run: a later run gets
 * the value of the first. Put around whatever must not happen twice, or may come
 * out differently, before a question. The value must be plain JSON, or nothing at
 * all; with a schema its encoded side must be. A failure is not remembered, nor
 * an effect that was interrupted: that is run again. Ask outside of steps.
 *
 * Two steps of one name, a value that cannot be remembered and more state than
 * `maxStateBytes` are defects; the latter two after the effect was run.
 *
 * @since 0.1.0
 * @category combinators
 */
export const step = <A, E, R, I = A>(
  name: string,
  effect: Effect.Effect<A, E, R>,
  options?: { readonly schema?: Schema.Schema<A, I> | undefined }
): Effect.Effect<A, E, R | Asking.Asking> =>
  Effect.flatMap(Asking.Asking, (run) => Remembered.once(run, name, effect, options?.schema))

/**
 * Runs a handler as from the start of its call, with what is known so far. For
 * whoever repeats a handler within one run, such as a policy that retries:
 * without it the questions of the second try would count on from the first.
 * Where a handler asks outside of it too, the questions need keys: without them
 * it is a defect.
 *
 * @since 0.1.0
 * @category combinators
 */
export const fromStart = <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.mapInputContext(self, (context: Context.Context<R>) => {
    const run = Context.getOption(context, Asking.Asking)
    return Option.isNone(run) ? context : Context.add(context, Asking.Asking, RunState.part(run.value))
  })
