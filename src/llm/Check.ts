/**
 * Judges an answer that can be read: whether it is one at all. A check is a
 * value; those a chain uses can be replaced one by one.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Option from "effect/Option"
import { isExit } from "../protocol/Ended.js"
import type * as Chat from "./Chat.js"
import * as AnswerText from "./internal/AnswerText.js"
import * as Echo from "./internal/Echo.js"
import * as Grounding from "./internal/Grounding.js"
import * as Language from "./internal/Language.js"
import * as ModelName from "./internal/ModelName.js"
import * as Refusal from "./internal/Refusal.js"
import * as Repetition from "./internal/Repetition.js"

/**
 * What there is to judge: the question, and the answer as text or as a value.
 *
 * @since 0.1.0
 * @category models
 */
export interface Subject {
  readonly request: Chat.Request
  readonly answer: Chat.TextAnswer | Chat.ObjectAnswer
  /** The model that was asked; `answer.model` is the one that says it answered. */
  readonly asked: { readonly provider: string; readonly model: string }
}

/**
 * What is wrong with an answer. A `warning` is noted in the trail, and the answer
 * stands.
 *
 * @since 0.1.0
 * @category models
 */
export interface Verdict {
  readonly flaw: Chat.Flaw
  readonly severity: "failure" | "warning"
  /** A sentence for operators that repeats nothing of the answer. */
  readonly description: string
}

/**
 * @since 0.1.0
 * @category models
 */
export interface Check {
  readonly name: string
  /** Nothing when the answer is fine. Pure checks answer at once, with an `Exit`. */
  readonly judge: (subject: Subject) => Effect.Effect<Verdict | undefined>
}

/**
 * Tells the language of a text, for whoever has a better way than counting
 * letters.
 *
 * @since 0.1.0
 * @category models
 */
export interface Detector {
  /** A BCP 47 tag such as `en` or `pt-BR`; `None` when it is not sure. The text has 40 letters or more, and no code. */
  readonly detect: (text: string) => Effect.Effect<Option.Option<string>>
}

const fine: Exit.Exit<Verdict | undefined> = Exit.succeed(undefined)

const pure = (name: string, verdict: Verdict, isWrong: (subject: Subject) => boolean): Check => {
  const wrong = Exit.succeed(verdict)
  return { name, judge: (subject) => isWrong(subject) ? wrong : fine }
}

const failure = (flaw: Chat.Flaw, description: string): Verdict => ({ flaw, severity: "failure", description })

/**
 * A check of one's own: the answer stands when `isFine` says so. What `isFine`
 * throws is a defect.
 *
 * @since 0.1.0
 * @category constructors
 */
export const where = (
  name: string,
  isFine: (subject: Subject) => boolean,
  flaw: Chat.Flaw,
  options: { readonly severity?: Verdict["severity"]; readonly description?: string } = {}
): Check => {
  const wrong = Exit.succeed<Verdict>({
    flaw,
    severity: options.severity ?? "failure",
    description: options.description ?? `the answer does not pass the check ${name}`
  })
  return {
    name,
    judge: (subject) => {
      try {
        return isFine(subject) ? fine : wrong
      } catch (defect) {
        return Exit.die(defect)
      }
    }
  }
}

/**
 * Several checks as one, in their order: the first failure, and where there is
 * none the first warning.
 *
 * @since 0.1.0
 * @category combinators
 */
export const all = (...checks: ReadonlyArray<Check>): Check => ({
  name: checks.map((check) => check.name).join("+"),
  judge: (subject) => judge(checks, subject)
})

/**
 * Judges by several checks in their order: the first failure, and where there is
 * none the first warning. An `Exit` when no check has to wait.
 *
 * @since 0.1.0
 * @category combinators
 */
export const judge = (checks: ReadonlyArray<Check>, subject: Subject): Effect.Effect<Verdict | undefined> =>
  judgeFrom(checks, 0, subject, undefined)

const judgeFrom = (
  checks: ReadonlyArray<Check>,
  from: number,
  subject: Subject,
  warning: Verdict | undefined
): Effect.Effect<Verdict | undefined> => {
  let noted = warning
  for (let at = from; at < checks.length; at++) {
    const judged = checks[at]?.judge(subject) ?? fine
    if (!isExit(judged)) {
      return Effect.flatMap(judged, (verdict) =>
        verdict?.severity === "failure"
          ? Exit.succeed(verdict)
          : judgeFrom(checks, at + 1, subject, noted ?? verdict))
    }
    if (Exit.isFailure(judged) || judged.value?.severity === "failure") return judged
    noted ??= judged.value
  }
  return Exit.succeed(noted)
}

/**
 * Fails what has no sign that can be seen, and an object answer without a value.
 *
 * @since 0.1.0
 * @category checks
 */
export const notEmpty: Check = pure(
  "notEmpty",
  failure("empty", "the answer is empty"),
  ({ answer }) => AnswerText.isEmpty(answer)
)

/**
 * Whether a text declines to answer. What was to be `json` and is a short
 * apology does; prose does when it begins so and gives no answer all the same.
 *
 * @since 0.1.0
 * @category guards
 */
export const isRefusal = (text: string, asked: "text" | "json"): boolean =>
  asked === "json" ? Refusal.isApology(text) : Refusal.isRefusal(text)

/**
 * Fails an answer that declines: prose by its first words, JSON that is a short
 * apology, or has such prose for its only text and no figure but 0. An apology before an answer, words about
 * refusals and "the passages do not say" are no refusals; what cites a passage
 * never is one.
 *
 * @since 0.1.0
 * @category checks
 */
export const noRefusal: Check = pure(
  "noRefusal",
  failure("refusal", "the answer declines to answer"),
  ({ answer }) => Refusal.declines(answer)
)

/**
 * Fails an answer that has the same twenty words in a row eight times or more, or
 * ends in the same few signs five times over. Of a long answer it reads the first
 * and the last 32 KiB.
 *
 * @since 0.1.0
 * @category checks
 */
export const noRepetition: Check = pure(
  "noRepetition",
  failure("repetition", "the answer repeats itself over and over"),
  ({ answer }) => AnswerText.texts(AnswerText.isObject(answer) ? answer.value : answer.text).some(Repetition.isLoop)
)

/**
 * Fails a text in another language than `expected` (a BCP 47 tag), or than that
 * of the last user message. By itself it compares scripts and tells Japanese from
 * Chinese; with a `detector`, which is asked only where the scripts agree,
 * languages too. Code, JSON, names and texts with fewer than 40 letters are left
 * alone, as are mixed ones, and requests that name a language or speak of
 * translation unless `expected` is given. Throws a `RangeError` when `expected`
 * is no language tag.
 *
 * @since 0.1.0
 * @category checks
 */
export const language = (
  options: { readonly expected?: string; readonly detector?: Detector } = {}
): Check => {
  const isWrong = Language.make(options.expected, options.detector?.detect)
  const wrong = failure("wrongLanguage", "the answer is in another language than the question")
  const verdict = (found: boolean) => found ? wrong : undefined
  return {
    name: "language",
    judge: ({ answer, request }) => {
      if (AnswerText.isObject(answer)) return fine
      const found = isWrong(request, answer.text)
      return typeof found === "boolean" ? Exit.succeed(verdict(found)) : Effect.map(found, verdict)
    }
  }
}

/**
 * `language` by scripts alone, as the last user message is written.
 *
 * @since 0.1.0
 * @category checks
 */
export const sameScript: Check = { ...language(), name: "sameScript" }

const offContext = failure("offContext", "the answer does not rest on the passages it was given")

/**
 * Fails a text that cites an id which is not among the passages but looks like
 * theirs, and one that cites none and has as good as no word in common with them.
 * Without passages there is nothing to keep to.
 *
 * @since 0.1.0
 * @category checks
 */
export const onContext: Check = pure(
  "onContext",
  offContext,
  ({ answer, request }) => !AnswerText.isObject(answer) && Grounding.isOff(answer, request.context ?? [])
)

/**
 * In place of `onContext`: the answer keeps to the context when `isOn` says so.
 *
 * @since 0.1.0
 * @category constructors
 */
export const onContextBy = (isOn: (subject: Subject) => boolean): Check =>
  where("onContext", isOn, offContext.flaw, offContext)

/**
 * Warns of a text that is the last user message, or the whole conversation, said
 * again.
 *
 * @since 0.1.0
 * @category checks
 */
export const noEcho: Check = pure(
  "noEcho",
  { flaw: "echo", severity: "warning", description: "the answer only repeats the question" },
  ({ answer, request }) => !AnswerText.isObject(answer) && Echo.isEcho(answer.text, request)
)

/**
 * Warns when the model that says it answered is another than the one asked:
 * another family, version or kind. Vendor prefixes, dates and aliases make no
 * difference.
 *
 * @since 0.1.0
 * @category checks
 */
export const sameModel: Check = pure(
  "sameModel",
  { flaw: "wrongModel", severity: "warning", description: "another model answered than the one that was asked" },
  ({ answer, asked }) => !ModelName.isSame(asked.model, answer.model)
)

/**
 * What a chain checks unless told otherwise, the cheapest first. A truncated
 * answer is not among them: a provider fails it before it gets here.
 *
 * @since 0.1.0
 * @category checks
 */
export const standard: ReadonlyArray<Check> = [
  notEmpty,
  sameModel,
  noRefusal,
  noEcho,
  sameScript,
  noRepetition,
  onContext
]
