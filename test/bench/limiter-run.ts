/**
 * Sets several processes on one bucket in Redis, and reckons what they had against
 * what they may have had by Redis' clock.
 *
 * @since 0.1.0
 */
import type { ChildProcess } from "node:child_process"
import { fork } from "node:child_process"
import { once } from "node:events"
import { fileURLToPath } from "node:url"
import type { Order, Seen } from "./limiter-caller.js"

/**
 * Shares are of what may have been had.
 *
 * @since 0.1.0
 */
export interface Sum {
  readonly asked: number
  readonly had: number
  /** Capacity, and what flowed in. */
  readonly bound: number
  readonly over: number
  readonly under: number
  readonly seconds: number
  readonly p99: number
  readonly slowest: number
  readonly counted: Seen["counted"]
  readonly hadAlone: number
}

const program = fileURLToPath(new URL("./limiter-caller.ts", import.meta.url))

const begin = async (): Promise<ChildProcess> => {
  const child = fork(program, { execArgv: ["--import", "tsx"] })
  await once(child, "message")
  return child
}

/**
 * Runs `processes` at once. They begin together, when all are ready; `meanwhile`
 * runs beside them.
 *
 * @since 0.1.0
 */
export const together = async (processes: number, order: Order, meanwhile?: () => Promise<void>): Promise<Sum> => {
  const children = await Promise.all(Array.from({ length: processes }, begin))
  const ended = children.map(async (child): Promise<Seen> => {
    const [seen] = await once(child, "message")
    return seen
  })
  try {
    for (const child of children) child.send(order)
    const [seen] = await Promise.all([Promise.all(ended), meanwhile?.()])
    const sum = (of: (one: Seen) => number) => seen.reduce((all, one) => all + of(one), 0)
    const seconds = (Math.max(...seen.map(({ to }) => to)) - Math.min(...seen.map(({ from }) => from))) / 1e6
    const bound = order.capacity + order.perSecond * seconds
    const had = sum((one) => one.had)
    return {
      asked: sum(({ asked }) => asked),
      had,
      bound,
      over: Math.max(0, had - bound) / bound,
      under: Math.max(0, bound - had) / bound,
      seconds,
      p99: Math.max(...seen.map(({ p99 }) => p99)),
      slowest: Math.max(...seen.map(({ slowest }) => slowest)),
      counted: {
        shared: sum(({ counted }) => counted.shared),
        local: sum(({ counted }) => counted.local),
        none: sum(({ counted }) => counted.none)
      },
      hadAlone: sum(({ hadAlone }) => hadAlone)
    }
  } finally {
    for (const child of children) child.kill("SIGKILL")
  }
}
