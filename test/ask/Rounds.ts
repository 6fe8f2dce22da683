import * as Asking from "causeway-mcp/ask/Asking"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"

type Requests = { readonly [key: string]: Asking.Request }

/** What a client says to some questions; the number counts from 1. */
export type Client = (requests: Requests, round: number) => { readonly [key: string]: unknown }

export interface Played<A, E> {
  /** The outcome of the last run. */
  readonly exit: Exit.Exit<A, E>
  /** What was asked, run by run. */
  readonly asked: ReadonlyArray<Requests>
  /** The memo of the last pause. */
  readonly memo: Asking.Memo
}

/** Declares everything there is to declare. */
export const everything = {
  elicitation: { form: {}, url: {} },
  sampling: { tools: {}, context: {} },
  roots: {}
}

/** Accepts a form with this content. */
export const accept = (content: unknown) => ({ action: "accept", content })

/** Runs a handler until it asks no more, as a registry does; the memo goes through JSON in between. */
export const play = <A, E, R>(
  handler: Effect.Effect<A, E, R>,
  client: Client,
  clientCapabilities: Asking.Inputs["clientCapabilities"] = everything
): Effect.Effect<Played<A, E>, never, Exclude<R, Asking.Asking>> => {
  const round = (
    inputs: Pick<Asking.Inputs, "memo" | "responses">,
    asked: ReadonlyArray<Requests>
  ): Effect.Effect<Played<A, E>, never, Exclude<R, Asking.Asking>> =>
    Effect.suspend(() => {
      const run = Asking.start({ ...inputs, clientCapabilities })
      return Effect.flatMap(Effect.exit(Effect.provideService(handler, Asking.Asking, run)), (exit) => {
        const paused = Asking.paused(run)
        if (paused === undefined || asked.length === 10) return Effect.succeed({ exit, asked, memo: inputs.memo })
        const memo = JSON.parse(JSON.stringify(paused.memo))
        const all = [...asked, paused.requests]
        return round({ memo, responses: JSON.parse(JSON.stringify(client(paused.requests, all.length))) }, all)
      })
    })
  return round({ memo: Asking.nothing, responses: {} }, [])
}
