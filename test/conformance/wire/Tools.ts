/**
 * The tools of the wire tests' server: quick ones, endless ones, those that ask,
 * those that are tasks, and one whose arguments stand in headers.
 *
 * @since 0.1.0
 */
import * as Ask from "causeway-mcp/ask/Ask"
import * as Tool from "causeway-mcp/tool/Tool"
import * as ToolCall from "causeway-mcp/tool/ToolCall"
import * as Toolkit from "causeway-mcp/toolkit/Toolkit"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { Ledger } from "./Ledger.js"

const about = { description: "A tool that serves the tests of the wire", safety: "readOnly" } as const

const said = (value: string): Tool.RawAnswer<never> => ({ content: [{ type: "text", text: value }] })

/** The form that every question shows, so that nothing but the binding tells one state from another. */
export const Name = Schema.Struct({ name: Schema.String })

const topic = { topic: Schema.optional(Schema.String) }

const turn = Effect.async<void>((resume) => void setImmediate(() => resume(Effect.void)))

const simple = (ledger: Ledger) =>
  Toolkit.make(
    Tool.raw("echo", { ...about, parameters: { text: Schema.String } }).implement(({ text }) =>
      Effect.succeed(said(text))
    ),
    Tool.raw("reflect", { ...about, inputSchema: { type: "object" } }).implement((input) =>
      Effect.succeed(said(JSON.stringify(input)))
    ),
    Tool.raw("gated", { ...about, parameters: { gate: Schema.String } }).implement(({ gate }) =>
      ledger.watched("gated", Effect.as(ledger.gate(gate), said("through")))
    ),
    Tool.raw("gated_progress", { ...about, parameters: { gate: Schema.String } }).implement(({ gate }) =>
      ledger.watched(
        "gated_progress",
        ToolCall.progress({ progress: 1 }).pipe(
          Effect.zipRight(ledger.gate(gate)),
          Effect.zipRight(ToolCall.progress({ progress: 2 })),
          Effect.as(said("through"))
        )
      )
    ),
    Tool.raw("never", about).implement(() => ledger.watched("never", Effect.never)),
    Tool.raw("count", { ...about, parameters: { n: Schema.Number } }).implement(({ n }) =>
      Effect.gen(function*() {
        for (let progress = 1; progress <= n; progress++) {
          yield* ToolCall.progress({ progress, total: n })
          yield* ToolCall.log("info", `step ${progress}`)
        }
        return said(String(n))
      })
    ),
    Tool.raw("ticking", about).implement(() =>
      ledger.watched(
        "ticking",
        Effect.iterate(1, {
          while: () => true,
          body: (progress) => Effect.as(Effect.zipRight(ToolCall.progress({ progress }), turn), progress + 1)
        }).pipe(Effect.as(said("never said")))
      )
    ),
    Tool.raw("stubborn", { ...about, parameters: { gate: Schema.String } }).implement(({ gate }) =>
      ledger.watched("stubborn", Effect.uninterruptible(Effect.as(ledger.gate(gate), said("in the end"))))
    ),
    Tool.raw("gossip", { ...about, parameters: { gate: Schema.String } }).implement(({ gate }) =>
      ToolCall.progress({ progress: 1 }).pipe(
        Effect.zipRight(Effect.forkDaemon(ledger.watched(
          "gossip",
          Effect.zipRight(
            ledger.gate(gate),
            Effect.zipRight(ToolCall.progress({ progress: 2 }), ToolCall.log("error", "late"))
          )
        ))),
        Effect.as(said("gossip"))
      )
    ),
    Tool.raw("talk", about).implement(() =>
      Effect.as(
        Effect.forEach(["debug", "info", "warning", "error"] as const, (level) => ToolCall.log(level, level)),
        said("talked")
      )
    )
  )

const asking = (ledger: Ledger) => {
  const noted = (name: string) => Ask.step(name, Effect.sync(() => ledger.add(name, 1)))
  const name = (tool: string) =>
    Tool.raw(tool, { ...about, parameters: topic }).implement(() =>
      Effect.zipRight(
        noted(`${tool} step`),
        Effect.map(
          Ask.form("What is your name?", Name, { key: "user_name" }),
          (answer) => said(`Hello, ${answer.name}!`)
        )
      )
    )
  return Toolkit.make(
    name("ask_name"),
    name("ask_other"),
    Tool.raw("ask_twice", about).implement(() =>
      Effect.gen(function*() {
        yield* noted("ask_twice before")
        const first = yield* Ask.form("First?", Name, { key: "first" })
        yield* noted("ask_twice between")
        const second = yield* Ask.form("Second?", Name, { key: "second" })
        yield* noted("ask_twice after")
        return said(`${first.name} and ${second.name}`)
      })
    )
  )
}

const tasks = (ledger: Ledger) =>
  Toolkit.make(
    Tool.raw("job_optional", { ...about, task: "optional" }).implement(() => Effect.succeed(said("done"))),
    Tool.raw("job_gated", { ...about, parameters: { gate: Schema.String }, task: "required" }).implement(({ gate }) =>
      ledger.watched("job_gated", Effect.as(ledger.gate(gate), said("done")))
    ),
    Tool.raw("job_asking", { ...about, task: "required" }).implement(() =>
      Effect.map(Ask.form("What is your name?", Name, { key: "user_name" }), (answer) => said(`Hello, ${answer.name}!`))
    )
  )

const mirrored = Tool.raw("mirrored", {
  ...about,
  parameters: {
    region: Schema.optional(Schema.String),
    amount: Schema.optional(Schema.Int),
    isLoud: Schema.optional(Schema.Boolean),
    where: Schema.optional(Schema.Struct({ city: Schema.optional(Schema.String) }))
  },
  headers: { region: "Region", amount: "Amount", isLoud: "Is-Loud", "where.city": "City" }
}).implement(() => Effect.succeed(said("mirrored")))

/** Those that are never tasks. */
export const plainToolkit = (ledger: Ledger) => Toolkit.merge(simple(ledger), asking(ledger), Toolkit.make(mirrored))

export const toolkit = (ledger: Ledger) => Toolkit.merge(plainToolkit(ledger), tasks(ledger))
