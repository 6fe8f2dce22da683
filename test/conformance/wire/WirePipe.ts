/**
 * A client of `StdioTransport` on streams in this process.
 *
 * @since 0.1.0
 */
import { assert } from "@effect/vitest"
import * as Principal from "causeway-mcp/auth/Principal"
import type { McpServer } from "causeway-mcp/server/McpServer"
import * as StdioTransport from "causeway-mcp/transport/StdioTransport"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import { PassThrough } from "node:stream"
import { at, initialize, notice, until } from "./Words.js"

export interface Pipe {
  /** Everything the server wrote: each line is a message. */
  readonly received: ReadonlyArray<unknown>
  /** Writes text and bytes as they are, anything else as a line of JSON. */
  readonly say: (...messages: ReadonlyArray<unknown>) => void
  /** Says it and waits for the answer under its id. */
  readonly ask: (message: unknown) => Effect.Effect<unknown>
  /** The answers under this id. */
  readonly answers: (id: unknown) => ReadonlyArray<unknown>
  /** The notifications and requests of this method. */
  readonly told: (method: string) => ReadonlyArray<unknown>
  /** Waits for so many messages in all. */
  readonly until: (count: number) => Effect.Effect<void>
  readonly handshake: (version: string, capabilities?: object) => Effect.Effect<unknown>
  /** Reads no more, or reads again. */
  readonly pause: () => void
  readonly resume: () => void
  /** Ends the input and waits for the server to have done. */
  readonly end: Effect.Effect<void>
  /** Stops the server's side and waits for it. */
  readonly stop: Effect.Effect<void>
}

const bytesOf = (message: unknown): string | Buffer =>
  typeof message === "string" || Buffer.isBuffer(message) ? message : `${JSON.stringify(message)}\n`

export const open = (user = "local"): Effect.Effect<Pipe, never, McpServer | Scope.Scope> =>
  Effect.gen(function*() {
    const input = new PassThrough()
    const output = new PassThrough()
    const received: Array<unknown> = []
    let rest = ""
    output.setEncoding("utf8")
    output.on("data", (chunk: string) => {
      const lines = (rest + chunk).split("\n")
      rest = lines.pop() ?? ""
      for (const line of lines) received.push(JSON.parse(line))
    })
    const fiber = yield* Effect.forkScoped(
      StdioTransport.run({ input, output, caller: Principal.make({ id: user, scopes: ["*"] }) })
    )
    // The server begins to read in the fiber that was just forked.
    yield* Effect.yieldNow()
    const say: Pipe["say"] = (...messages) =>
      void input.write(Buffer.concat(messages.map((_) => Buffer.from(bytesOf(_)))))
    const answers: Pipe["answers"] = (id) =>
      received.filter((message) => at(message, "method") === undefined && at(message, "id") === id)
    const ask: Pipe["ask"] = (message) => {
      const id = at(message, "id")
      const before = answers(id).length
      return Effect.zipRight(
        Effect.sync(() => say(message)),
        Effect.as(until(() => answers(id).length > before, () => `the answer to ${JSON.stringify(message)}`), undefined)
      ).pipe(Effect.map(() => answers(id).at(-1)))
    }
    return {
      received,
      say,
      ask,
      answers,
      told: (method) => received.filter((message) => at(message, "method") === method),
      until: (count) =>
        until(() => received.length >= count, () => `${count} messages, received ${JSON.stringify(received)}`),
      handshake: (version, capabilities = {}) =>
        Effect.map(ask(initialize(version, capabilities)), (answer) => {
          assert.isDefined(at(answer, "result"), JSON.stringify(answer))
          say(notice("notifications/initialized"))
          return answer
        }),
      pause: () => void output.pause(),
      resume: () => void output.resume(),
      end: Effect.suspend(() => {
        input.end()
        return Fiber.join(fiber)
      }),
      stop: Effect.asVoid(Fiber.interrupt(fiber))
    }
  })
