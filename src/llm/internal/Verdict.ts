/**
 * Judges an answer: its value by the schema, then all of it by the checks.
 *
 * @since 0.1.0
 */
import type * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as JsonValidator from "../../protocol/JsonValidator.js"
import type * as Chat from "../Chat.js"
import * as Check from "../Check.js"
import * as Correction from "../Correction.js"
import type * as Attempt from "./Attempt.js"
import type * as Run from "./Run.js"

/**
 * What is wrong with an answer; `problems` when its value does not fit.
 *
 * @since 0.1.0
 * @category models
 */
export interface Verdict extends Check.Verdict {
  readonly problems?: ReadonlyArray<JsonValidator.Problem> | undefined
}

/**
 * What is wrong with an answer, or nothing. An `Exit` when no check has to wait;
 * what a check or a validator throws is a defect.
 *
 * @since 0.1.0
 * @category combinators
 */
export const of = <A extends Chat.TextAnswer | Chat.ObjectAnswer>(
  run: Run.Run,
  question: {
    readonly problems: (answer: A) => ReadonlyArray<JsonValidator.Problem>
    readonly checks: ReadonlyArray<Check.Check>
  },
  attempt: Attempt.Attempt,
  answer: A
): Effect.Effect<Verdict | undefined> => {
  // Places and money are held meanwhile: a throw must not pass them by.
  try {
    const problems = question.problems(answer)
    if (problems.length > 0) return isRefusal(answer) ? declined : mismatch(problems)
    return question.checks.length === 0 ? fine : check(run, question.checks, attempt, answer)
  } catch (defect) {
    return Exit.die(defect)
  }
}

const fine: Exit.Exit<undefined> = Exit.succeed(undefined)

/** No correction turns a refusal into a value; another model may have no such scruples. */
const isRefusal = (answer: Chat.TextAnswer | Chat.ObjectAnswer): boolean => {
  const text = "value" in answer && typeof answer.value === "string" ? answer.value : answer.text
  return text !== undefined && Check.isRefusal(text, "json")
}

const declined: Exit.Exit<Verdict> = Exit.succeed({
  flaw: "refusal",
  severity: "failure",
  description: "the model declined to answer"
})

const mismatch = (problems: ReadonlyArray<JsonValidator.Problem>): Exit.Exit<Verdict> =>
  Exit.succeed({
    problems,
    flaw: "schemaMismatch",
    severity: "failure",
    description: `the answer does not fit the schema: wrong at ${Correction.places(problems)}`
  })

/** The first failure, or else the first warning. Checks that are pure cost no fiber and no step. */
const check = (
  run: Run.Run,
  checks: ReadonlyArray<Check.Check>,
  attempt: Attempt.Attempt,
  answer: Chat.TextAnswer | Chat.ObjectAnswer
): Effect.Effect<Check.Verdict | undefined> => {
  const { target } = attempt.asking
  const judged = Check.judge(checks, { request: run.request, answer, asked: target.model })
  return run.engine.watch.run(judged, {
    duration: Math.max(0, run.remaining(run.now())),
    onTimeout: () => Exit.succeed(slow)
  })
}

const slow: Check.Verdict = {
  flaw: "guardrail",
  severity: "failure",
  description: "a check of the answer did not end in time"
}
