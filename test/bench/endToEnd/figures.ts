/**
 * What the calls of a phase came to, as a table and as a line of JSON.
 *
 * @since 0.1.0
 */
import type { Call } from "./agents.js"

/**
 * A phase, and what was seen in it.
 *
 * @since 0.1.0
 */
export interface Measured {
  readonly phase: string
  readonly calls: ReadonlyArray<Call>
  readonly seconds: number
  /** Questions that came to each provider. */
  readonly asked: ReadonlyArray<number>
  readonly faults: { readonly [fault: string]: number }
  /** Milliseconds of processor time of all instances together. */
  readonly serverMs: number
  /** The share of one processor that the agents took, and how late their event loop was, milliseconds. */
  readonly clientShare: number
  readonly clientDelayP99: number
}

const answering = "answer_market_question"

/** Milliseconds of an answer: DESIGN section 1. */
const goal = { p50: 800, p99: 2000 }

const quantile = (values: ReadonlyArray<number>, share: number): number => {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN
}

const percent = (part: number, all: number): string => all === 0 ? "–" : `${(100 * part / all).toFixed(2)} %`

const whole = (value: number): string => Number.isNaN(value) ? "–" : value.toFixed(0)

const times = (values: ReadonlyArray<number>): ReadonlyArray<string> =>
  [0.5, 0.9, 0.99, 1].map((share) => whole(quantile(values, share)))

const toolsOf = ({ calls }: Measured): ReadonlyArray<string> => [...new Set(calls.map(({ tool }) => tool))].sort()

const counted = (words: ReadonlyArray<string | undefined>): Record<string, number> => {
  const counts: Record<string, number> = {}
  for (const word of words) if (word !== undefined) counts[word] = (counts[word] ?? 0) + 1
  return counts
}

const errorsOf = (calls: ReadonlyArray<Call>): Record<string, number> => counted(calls.map(({ error }) => error))

const sum = (values: ReadonlyArray<number>): number => values.reduce((total, value) => total + value, 0)

const attempts = ({ asked, calls }: Measured): number =>
  sum(asked) / calls.filter(({ tool }) => tool === answering).length

/** What of an answer's time was not waiting for models. */
const ours = (calls: ReadonlyArray<Call>): ReadonlyArray<number> =>
  calls.flatMap(({ took, waited }) => waited === undefined ? [] : [Math.max(0, took - waited)])

/**
 * One line on a phase.
 *
 * @since 0.1.0
 */
export const line = (measured: Measured): string => {
  const answers = measured.calls.filter(({ tool }) => tool === answering)
  const [p50, p90, p99, max] = times(answers.map(({ took }) => took))
  return `${measured.phase}: ${measured.calls.length} calls in ${measured.seconds.toFixed(0)} s, answers p50 ${p50} ` +
    `p90 ${p90} p99 ${p99} max ${max} ms, ${attempts(measured).toFixed(2)} tries, ${
      JSON.stringify(errorsOf(measured.calls))
    }`
}

/**
 * Whether a goal was missed, or an answer came without a source or a confidence.
 *
 * @since 0.1.0
 */
export const isMissed = (measured: Measured): boolean => {
  const answers = measured.calls.filter(({ tool }) => tool === answering).map(({ took }) => took)
  return quantile(answers, 0.5) >= goal.p50 || quantile(answers, 0.99) >= goal.p99 ||
    measured.calls.some(({ isBare }) => isBare)
}

/**
 * Two tables for people: the calls by phase and tool, and each phase as a whole.
 *
 * @since 0.1.0
 */
export const table = (all: ReadonlyArray<Measured>): string => {
  const byTool = all.flatMap((measured) =>
    toolsOf(measured).map((tool) => {
      const calls = measured.calls.filter((call) => call.tool === tool)
      const good = calls.filter(({ error }) => error === undefined)
      return [
        measured.phase,
        `\`${tool}\``,
        String(calls.length),
        ...times(calls.map(({ took }) => took)),
        percent(calls.length - good.length, calls.length),
        percent(good.filter(({ isDegraded }) => isDegraded).length, good.length),
        percent(good.filter(({ quotedAfter }) => quotedAfter !== undefined).length, good.length),
        String(good.filter(({ isBare }) => isBare).length)
      ]
    })
  )
  const byPhase = all.map((measured) => {
    const own = ours(measured.calls)
    return [
      measured.phase,
      (measured.calls.length / measured.seconds).toFixed(1),
      attempts(measured).toFixed(2),
      measured.asked.join(" / "),
      Object.entries(measured.faults).map(([fault, count]) => `${count} ${fault}`).join(", "),
      ...[0.5, 0.99].map((share) => quantile(own, share).toFixed(1)),
      (measured.serverMs / measured.calls.length).toFixed(1),
      percent(measured.clientShare, 1),
      measured.clientDelayP99.toFixed(1)
    ]
  })
  const rows = (head: ReadonlyArray<string>, body: ReadonlyArray<ReadonlyArray<string>>, texts: number): string =>
    [head, head.map((_, n) => (n < texts ? "---" : "--:")), ...body].map((row) => `| ${row.join(" | ")} |`).join("\n")
  return [
    rows(
      [
        ...["phase", "tool", "calls", "p50 ms", "p90 ms", "p99 ms", "max ms", "failed", "degraded", "quoted"],
        "without source or confidence"
      ],
      byTool,
      2
    ),
    rows(
      [
        ...["phase", "calls/s", "tries per answer", "asked of each provider", "faults played", "ours p50 ms"],
        ...["ours p99 ms", "server CPU ms per call", "client CPU", "client late p99 ms"]
      ],
      byPhase,
      1
    )
  ].join("\n\n")
}

/**
 * The same for machines.
 *
 * @since 0.1.0
 */
export const record = (measured: Measured): object => ({
  phase: measured.phase,
  calls: measured.calls.length,
  seconds: measured.seconds,
  tools: Object.fromEntries(
    toolsOf(measured).map((tool) => {
      const calls = measured.calls.filter((call) => call.tool === tool)
      const took = calls.map((call) => call.took)
      return [tool, {
        calls: calls.length,
        p50: quantile(took, 0.5),
        p90: quantile(took, 0.9),
        p99: quantile(took, 0.99),
        max: quantile(took, 1),
        errors: errorsOf(calls),
        degraded: calls.filter(({ isDegraded }) => isDegraded).length,
        quoted: calls.filter(({ quotedAfter }) => quotedAfter !== undefined).length,
        bare: calls.filter(({ isBare }) => isBare).length
      }]
    })
  ),
  triesPerAnswer: attempts(measured),
  quotedAfter: counted(measured.calls.map(({ quotedAfter }) => quotedAfter)),
  asked: measured.asked,
  faults: measured.faults,
  oursP50: quantile(ours(measured.calls), 0.5),
  oursP99: quantile(ours(measured.calls), 0.99),
  serverMsPerCall: measured.serverMs / measured.calls.length,
  clientShare: measured.clientShare,
  clientDelayP99: measured.clientDelayP99
})
