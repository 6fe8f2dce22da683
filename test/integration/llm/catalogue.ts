/**
 * Walks the catalogue of faults through a chain whose second model is well.
 */
import { assert, describe, it } from "@effect/vitest"
import * as ChainPolicy from "causeway-mcp/llm/ChainPolicy"
import type * as Chat from "causeway-mcp/llm/Chat"
import * as Check from "causeway-mcp/llm/Check"
import * as Backoff from "causeway-mcp/policy/Backoff"
import * as ProviderFaults from "causeway-mcp/testing/ProviderFaults"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type { Asks, Told } from "./harness.js"
import { ask, fine, line, provider, question, value, well, world } from "./harness.js"
import { hold } from "./laws.js"

type Fault = ProviderFaults.Fault

export interface Way {
  readonly api: "chat" | "messages"
  /** How whole answers are asked for, or `text` as it comes. */
  readonly wire: "whole" | "stream" | "text"
}

const common = ChainPolicy.all(
  ChainPolicy.checks(...Check.standard),
  ChainPolicy.retry(Backoff.fullJitter({ base: "5 millis", cap: "10 millis", times: 1 })),
  ChainPolicy.retryIf((error) => error.reason === "Transient")
)

/** Nothing here is slow but the machine. */
const patient = ChainPolicy.all(
  common,
  ChainPolicy.deadline("12 seconds"),
  ChainPolicy.timeouts({ headers: "8 seconds", firstToken: "8 seconds", idle: "8 seconds", answer: "8 seconds" })
)

const silence = 600

const hurried = ChainPolicy.all(
  common,
  ChainPolicy.deadline("2 seconds"),
  ChainPolicy.timeouts({ headers: silence, firstToken: silence, idle: silence, answer: silence })
)

const asksOf = (fault: Fault, way: Way): Asks =>
  way.wire === "text" ? "stream" : fault.asks === "object" ? "object" : "text"

/** Whether a fault shows when it is asked for this way. */
export const isThere = (fault: Fault, { api, wire }: Way): boolean =>
  ((api === "chat" ? fault.replies : fault.anthropic) ?? []).length > 0 &&
  !(fault.asks === "stream" && wire === "whole") && !(fault.asks === "object" && wire === "text")

/** What the checks of a chain only warn of. A model that is named after a fault is of no family, so of another. */
const warnings: ReadonlySet<string | undefined> = new Set(["echo"])

const heard = new Map<string, Fault["flaw"]>([
  ["string-5-mb", "repetition"],
  ["model-wrong", undefined],
  // Too short a text to say that it has nothing in common with the passages.
  ["off-context", undefined]
])

/** The catalogue; with what the checks of a chain say of it. */
export const faults: ReadonlyArray<readonly [name: string, fault: Fault]> = Object.entries(ProviderFaults.faults).map(
  ([name, fault]) => [name, heard.has(name) ? { ...fault, flaw: heard.get(name) } : fault]
)

/** So much of it at once, or in so many turns, that whatever runs beside it is kept waiting. */
const isLarge = (name: string): boolean => /-mb|-bomb|endless|100k|in-pieces|byte-by-byte|declared-large/u.test(name)

/** What is told by milliseconds is asked again when the machine was busy elsewhere. */
const running = (name: string, { expect }: Fault) => ({
  concurrent: !isLarge(name),
  retry: expect === "TimedOut" ? 2 : 0
})

/** Where there are passages, an answer has to keep to them. */
const requestOf = ({ flaw }: Fault): Chat.Request =>
  flaw === "offContext"
    ? { ...question, context: [{ id: "passage-1", text: "Heavy rain is expected over the north coast on Friday." }] }
    : question

/** What asking the next model cannot mend. */
const final: ReadonlySet<string> = new Set(["ContentBlocked", "RequestRejected"])

const firstPhase = (name: string, { wire }: Way): string =>
  wire === "whole"
    ? "answer"
    : /^(?:hang|hang-once|headers-late|headers-slow|stream-late)$/u.test(name)
    ? "headers"
    : name.startsWith("stream-stall")
    ? "idle"
    : "firstToken"

/** What the first model fails with, or that it answers; checks that run on whole texts find nothing in a stream. */
const found = (fault: Fault, way: Way): { readonly reason: string; readonly flaw: string | undefined } =>
  fault.expect !== "answer"
    ? { reason: fault.expect, flaw: fault.flaw }
    : way.wire === "text" || fault.flaw === undefined
    ? { reason: "answer", flaw: undefined }
    : { reason: warnings.has(fault.flaw) ? "answer" : "Degraded", flaw: fault.flaw }

/** The trail that a fault leaves: who was asked, what came of it, and why the next try was made. */
const trailOf = (name: string, fault: Fault, way: Way): ReadonlyArray<RegExp> => {
  const { flaw, reason } = found(fault, way)
  const flawed = flaw === undefined ? "" : ` ${flaw}`
  if (reason === "answer") return [new RegExp(`^first answered${flawed}$`, "u")]
  const phase = reason === "TimedOut" ? ` in ${firstPhase(name, way)}` : "(?: in [a-zA-Z]+)?"
  const failed = `first failed ${reason}${flawed}${phase}`
  const first = new RegExp(`^${failed}$`, "u")
  if (final.has(reason)) return [first]
  const next = /^second answered \(failover\)$/u
  if (reason === "Transient") {
    return fault.then === "answer"
      ? [first, /^first answered \(retry\)$/u]
      : [first, new RegExp(`^${failed} \\(retry\\)$`, "u"), next]
  }
  return flaw === "invalidJson" || flaw === "schemaMismatch"
    ? [first, new RegExp(`^${failed} \\(repair\\)$`, "u"), next]
    : [first, next]
}

const matches = (told: Told, expected: ReadonlyArray<RegExp>): void => {
  const lines = told.attempts.map(line)
  const isSame = lines.length === expected.length && expected.every((form, index) => form.test(lines[index] ?? ""))
  assert.isTrue(isSame, `${lines.join(", ")}: ${told.error?.message ?? "answered"}\nexpected ${expected.join(", ")}`)
}

/** Breaks only when its first text has long been there. */
const isSlow = (name: string): boolean => /stall|40|endless|100k/u.test(name)

const partialOf = ({ error }: Told): string | undefined =>
  error?.partial === undefined ? undefined : Redacted.value(error.partial)

const walk = (name: string, fault: Fault, way: Way) =>
  Effect.gen(function*() {
    const wire = way.wire === "text" ? "stream" : way.wire
    const first = yield* provider("first", { model: ProviderFaults.model(name), api: way.api, wire })
    const second = yield* provider("second", { model: "m", replies: [well], wire })
    const one = yield* world([first, second], fault.expect === "TimedOut" ? hurried : patient)
    const told = yield* ask(one.chain, asksOf(fault, way), requestOf(fault))
    return { told, one }
  })

/** One test for each fault that the second model, or asking again, makes good. */
export const failsOver = (
  title: string,
  way: Way,
  isMeant: (name: string, fault: Fault) => boolean = () => true
): void => {
  describe(title, () => {
    for (const [name, fault] of faults) {
      if (!isThere(fault, way) || !isMeant(name, fault)) continue
      const { reason } = found(fault, way)
      const outcome = reason === "answer"
        ? "takes the answer of a model"
        : final.has(reason)
        ? `ends as ${reason} with a model`
        : "makes do with a model"
      it.live(`${outcome} that ${fault.about} (${name})`, () =>
        Effect.gen(function*() {
          const { one, told } = yield* walk(name, fault, way)
          matches(told, trailOf(name, fault, way))
          if (final.has(reason)) {
            assert.strictEqual(told.error?.reason, reason)
            assert.strictEqual(told.error?.provider, "first")
          } else {
            assert.isUndefined(told.error)
            const last = told.attempts.at(-1)
            assert.strictEqual(told.answer?.provider, last?.provider)
            if (last?.provider === "second") {
              if (asksOf(fault, way) === "stream") assert.strictEqual(told.text, fine)
              else assert.deepInclude(told.answer, fault.asks === "object" ? { value } : { text: fine })
            }
            assert.strictEqual(told.answer?.flaw, undefined)
          }
          yield* hold(one, told)
        }).pipe(Effect.scoped), running(name, fault))
    }
  })
}

/** One test for each fault that shows when some text was out already. */
export const breaksOff = (title: string, way: Way, names: ReadonlySet<string>): void => {
  describe(title, () => {
    for (const [name, fault] of faults) {
      if (!isThere(fault, way) || !names.has(name)) continue
      it.live(
        `ends as StreamBroken, with the text so far, when a model ${fault.about} (${name})`,
        () =>
          Effect.gen(function*() {
            const { one, told } = yield* walk(name, fault, way)
            // What breaks at once may break before anyone has read of it, and then another may answer.
            if (told.error === undefined && !isSlow(name)) return assert.strictEqual(told.text, fine)
            assert.strictEqual(told.error?.reason, "StreamBroken", told.error?.message ?? "answered")
            assert.notStrictEqual(told.text, "")
            assert.strictEqual(
              partialOf(told),
              told.text
            )
            assert.strictEqual(told.attempts.length, 1)
            assert.match(told.attempts.map(line).join(), /^first failed StreamBroken/u)
            assert.isAbove(told.attempts[0]?.firstTokenMs ?? -1, 0)
            yield* hold(one, told)
          }).pipe(Effect.scoped),
        running(name, fault)
      )
    }
  })
}
