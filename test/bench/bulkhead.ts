/**
 * What a place costs a call: that there is one, and that it is waited for. Run by
 * `npx tsx test/bench/bulkhead.ts [--calls 200000] [--rounds 7]`; prints one line of JSON, microseconds per call.
 */
import * as Asking from "causeway-mcp/ask/Asking"
import * as Principal from "causeway-mcp/auth/Principal"
import * as Bulkhead from "causeway-mcp/policy/Bulkhead"
import * as Policy from "causeway-mcp/policy/Policy"
import * as Evidence from "causeway-mcp/tool/Evidence"
import * as Tool from "causeway-mcp/tool/Tool"
import * as Toolkit from "causeway-mcp/toolkit/Toolkit"
import * as ToolRegistry from "causeway-mcp/toolkit/ToolRegistry"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import { parseArgs } from "node:util"

const { values } = parseArgs({
  options: { calls: { type: "string", default: "200000" }, rounds: { type: "string", default: "7" } }
})
const calls = Number(values.calls)
const rounds = Number(values.rounds)

/** What is called: no `Exit`, and nothing else. */
const work = Effect.suspend(() => Exit.void)
const yielding = Effect.yieldNow()

const full = (): Effect.Effect<never> => Effect.dieMessage("there is room for all")

const sequence = <E>(call: Effect.Effect<unknown, E>, count: number): Effect.Effect<void, E> =>
  Effect.suspend(() => {
    let left = count
    return Effect.whileLoop({ while: () => left-- > 0, body: () => call, step: () => undefined })
  })

const width = 256

/** So many at once, of eight callers, one call after the other each. */
const crowd = (call: (caller: string) => Effect.Effect<unknown>): Effect.Effect<void> =>
  Effect.forEach(
    Array.from({ length: width }, (_, index) => `caller ${index % 8}`),
    (caller) => sequence(call(caller), calls / 10 / width),
    { concurrency: "unbounded", discard: true }
  )

const open = Bulkhead.make({ limit: 64, queue: 256, maxWaitMillis: 60_000, perCaller: 64 })
const narrow = Bulkhead.make({ limit: 8, queue: 256, maxWaitMillis: 60_000, perCaller: 8 })

const registered = (policy: Policy.Policy) =>
  Effect.map(
    ToolRegistry.make(
      Toolkit.make(
        Tool.make("measured_answer", {
          description: "Gives a number after a turn of the scheduler, for a measurement",
          success: Schema.Number,
          safety: "readOnly"
        }).implement(() => Effect.zipRight(work, Evidence.computed("x", 1)))
      ),
      { policy }
    ),
    (registry) =>
      Effect.suspend(() =>
        registry.call({
          name: "measured_answer",
          arguments: {},
          caller: Principal.local,
          requestId: 1,
          meta: {},
          reportProgress: () => undefined,
          log: () => undefined,
          beginTask: Exit.succeed(false),
          asking: { memo: Asking.nothing, responses: {}, clientCapabilities: {} }
        })
      )
  )

const micros = (run: Effect.Effect<unknown, unknown>, count: number) =>
  Effect.map(Effect.timed(run), ([took]) => Number(took.value._tag === "Nanos" ? took.value.nanos : 0n) / 1e3 / count)

const median = (sorted: ReadonlyArray<number>): number => sorted[sorted.length >> 1] ?? NaN

const main = Effect.gen(function*() {
  const standard = yield* registered(Policy.standard)
  const without = yield* registered(
    Policy.all(Policy.timeout("30 seconds"), Policy.sizeLimit({ input: 1024 * 1024, result: 256 * 1024 }))
  )
  const cases: ReadonlyArray<readonly [string, Effect.Effect<unknown, unknown>, number]> = [
    ["bare", sequence(work, calls), calls],
    ["place", sequence(open.run("caller", work, full), calls), calls],
    ["bareCrowd", crowd(() => yielding), calls / 10],
    ["waitingCrowd", crowd((caller) => narrow.run(caller, yielding, full)), calls / 10],
    ["registry", sequence(without, calls / 10), calls / 10],
    ["registryStandard", sequence(standard, calls / 10), calls / 10]
  ]
  const taken = new Map<string, Array<number>>()
  // In turn, so that what disturbs the machine disturbs all.
  for (let round = 0; round < rounds; round++) {
    for (const [name, run, count] of cases) {
      taken.set(name, [...taken.get(name) ?? [], yield* micros(run, count)])
    }
  }
  const result = Object.fromEntries(
    [...taken].map(([name, all]) => [name, Math.round(median(all.sort((a, b) => a - b)) * 1000) / 1000])
  )
  process.stdout.write(`${JSON.stringify({ calls, rounds, ...result })}\n`)
})

Effect.runPromise(Effect.scoped(main)).catch((error: unknown) => {
  process.stderr.write(`${String(error)}\n`)
  process.exitCode = 1
})
