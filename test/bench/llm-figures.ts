/**
 * How the benches of the model chain time calls, and how they print what they
 * found: medians over rounds, with the least and the most beside them.
 *
 * @since 0.1.0
 */
import type * as Fiber from "effect/Fiber"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import * as Program from "./program.js"

setFlagsFromString("--expose-gc")

/**
 * Collects garbage now. Not for between the cells of a round: code that was not
 * run since the last few collections is thrown away and compiled anew.
 *
 * @since 0.1.0
 */
export const collect: () => void = runInNewContext("gc")

/**
 * Calls of one cell of a round: their times in order of length, in milliseconds,
 * how long they took together, and the processor time of this process for each,
 * all its threads together, in microseconds.
 *
 * @since 0.1.0
 */
export interface Cell {
  readonly times: Float64Array
  readonly millis: number
  readonly cpu: number
}

/**
 * Where in the order of length a call stands, and what it took of the clock and
 * of the processor, in microseconds.
 *
 * @since 0.1.0
 */
export interface Alone {
  readonly wall: Float64Array
  readonly cpu: Float64Array
}

/**
 * Runs a fiber after another, and times each from its start to its end. On a
 * machine that others use too, the longest times are those for which the
 * processor was away: hence its time beside that of the clock.
 *
 * @since 0.1.0
 */
export const alone = async (calls: number, start: () => Fiber.RuntimeFiber<unknown, unknown>): Promise<Alone> => {
  const wall = new Float64Array(calls)
  const cpu = new Float64Array(calls)
  for (let index = 0; index < calls; index++) {
    await new Promise<void>((resolve, reject) => {
      const before = process.cpuUsage()
      const startedAt = performance.now()
      start().addObserver((exit) => {
        wall[index] = (performance.now() - startedAt) * 1000
        const { system, user } = process.cpuUsage(before)
        cpu[index] = system + user
        if (exit._tag === "Success") resolve()
        else reject(new Error(`a call failed: ${String(exit.cause)}`))
      })
    })
  }
  return { wall: wall.sort(), cpu: cpu.sort() }
}

/**
 * Makes `calls` calls, so many at a time. `call` gives how long it took when
 * that is something else than how long it ran, in milliseconds.
 *
 * @since 0.1.0
 */
export const measure = async (
  calls: number,
  atOnce: number,
  call: () => Promise<number | undefined>
): Promise<Cell> => {
  const times = new Float64Array(calls)
  let next = 0
  const before = process.cpuUsage()
  const began = performance.now()
  await Promise.all(Array.from({ length: atOnce }, async () => {
    while (next < calls) {
      const mine = next++
      const startedAt = performance.now()
      const took = await call()
      times[mine] = took ?? performance.now() - startedAt
    }
  }))
  const millis = performance.now() - began
  const { system, user } = process.cpuUsage(before)
  return { times: times.sort(), millis, cpu: (system + user) / calls }
}

/**
 * The time that a share of the calls did not exceed.
 *
 * @since 0.1.0
 */
export const quantile = (sorted: Float64Array, share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN

/**
 * One figure of every round: its median, and its least and most.
 *
 * @since 0.1.0
 */
export const spread = (values: ReadonlyArray<number>, digits: number): string =>
  `${Program.median(values).toFixed(digits)} (${Math.min(...values).toFixed(digits)}..${
    Math.max(...values).toFixed(digits)
  })`

/**
 * Prints one line of a table.
 *
 * @since 0.1.0
 */
export const line = (title: string, cells: ReadonlyArray<string>): void => {
  console.log(title.padEnd(46) + cells.map((cell) => cell.padStart(24)).join(""))
}

/**
 * A figure beside what it must not exceed.
 *
 * @since 0.1.0
 */
export const against = (value: number, most: number, unit: string): string =>
  `${value.toFixed(2)} ${unit}, at most ${most} ${unit}: ${value <= most ? "holds" : "DOES NOT HOLD"}`

/**
 * Runs a program to its end; what goes wrong ends the process as a failure.
 *
 * @since 0.1.0
 */
export const main = (program: Promise<boolean>): void => {
  program.then((isFine) => process.exit(isFine ? 0 : 1), (error: unknown) => {
    console.error(error)
    process.exit(1)
  })
}
