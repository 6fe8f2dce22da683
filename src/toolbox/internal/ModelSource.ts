/**
 * Says of an answer which model gave it, whom it stood in for, and how much less
 * sure that makes it.
 *
 * @since 0.1.0
 */
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import type * as Chat from "../../llm/Chat.js"
import * as ExtractiveLlm from "../../provider/ExtractiveLlm.js"
import * as Evidence from "../../tool/Evidence.js"

/** The answer of another model than the one that was to be asked first. */
const failedOver = 0.95

/** An answer that is the best there was, and has something wrong. */
const flawed = 0.7

/** Whoever is passed over for these was never the model for this request. */
const unfit: ReadonlySet<string> = new Set(["unsupported", "label", "contextTooLong"])

/** More names say no more. */
const mostNamed = 3

const flaws: { readonly [F in Chat.Flaw]: string } = {
  empty: "is empty",
  truncated: "is cut off",
  refusal: "declines to answer",
  invalidJson: "is not the JSON asked for",
  schemaMismatch: "does not fit the schema",
  wrongLanguage: "is in another language",
  repetition: "repeats itself",
  offContext: "goes beyond the passages",
  echo: "repeats the question",
  wrongModel: "came from another model than the one asked",
  guardrail: "was refused by a check"
}

/**
 * Whether an answer was quoted, not generated.
 *
 * @since 0.1.0
 * @category guards
 */
export const isExtractive = (from: { readonly provider: string }): boolean => from.provider === ExtractiveLlm.name

/**
 * The tries of other models that came before the answer, without those of models
 * that such a request is not for.
 *
 * @since 0.1.0
 * @category combinators
 */
export const before = (from: Chat.Provenance): ReadonlyArray<Chat.Attempt> => {
  const answered = from.attempts.findLast((attempt) => attempt.outcome === "answered")
  return answered === undefined ?
    [] :
    from.attempts.filter((attempt) =>
      attempt.outcome !== "answered" && !unfit.has(attempt.reason ?? "") &&
      (attempt.provider !== answered.provider || attempt.model !== answered.model)
    )
}

/**
 * How much of its confidence an answer keeps for the way it came about: 0.95
 * when another model was to give it, 0.7 when it has a flaw, 1 otherwise.
 *
 * @since 0.1.0
 * @category combinators
 */
export const factor = (from: Chat.Provenance): number =>
  (before(from).length === 0 ? 1 : failedOver) * (from.flaw === undefined ? 1 : flawed)

/**
 * What an answer says of its flaw, if it has one.
 *
 * @since 0.1.0
 * @category combinators
 */
export const degraded = ({ flaw }: Chat.Provenance): Evidence.Degraded | undefined =>
  flaw === undefined ? undefined : {
    reason: `a check found fault with the model's answer: it ${flaws[flaw]}`,
    missing: []
  }

const title = (from: Chat.Provenance): string => {
  if (isExtractive(from)) return "Quoted from the sources, not generated"
  const named = Arr.dedupe(before(from).map(({ outcome, provider, reason }) => `${provider} (${reason ?? outcome})`))
  const more = named.length > mostNamed ? " and others" : ""
  return `Model of ${from.provider}${
    named.length === 0 ? "" : `, after ${named.slice(0, mostNamed).join(", ")}${more}`
  }`
}

/**
 * The model that answered, as a source: which models failed or were passed over
 * before it stands in the title, and `cached` says whether the answer was kept
 * from an earlier, equal call.
 *
 * @since 0.1.0
 * @category constructors
 */
export const source = (from: Chat.Provenance): Effect.Effect<Evidence.Source> =>
  Effect.suspend(() =>
    Evidence.source({
      id: from.model === "" ? from.provider : from.model,
      kind: "model",
      title: title(from),
      cached: from.isCached === true
    })
  )
