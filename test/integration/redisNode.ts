/**
 * A server that speaks Redis' protocol and says what a test tells it to.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type { Scope } from "effect/Scope"
import type { Socket } from "node:net"
import { createServer } from "node:net"

/** What is sent for a command: an error or a status is a text with its sign, as in `-MOVED 1 127.0.0.1:7000`. */
export type Reply = string | number | null | ReadonlyArray<Reply> | { readonly bulk: string }

/** What a node says to a command; `undefined` for nothing at all. */
export type Speech = (command: ReadonlyArray<string>) => Reply | undefined

export interface FakeNode {
  readonly port: number
  /** All commands but those of a connection that begins. */
  readonly commands: Array<ReadonlyArray<string>>
  /** How many connections were made, and how many of them stand. */
  readonly connections: () => { readonly made: number; readonly standing: number }
}

const encode = (reply: Reply): string =>
  reply === null
    ? "$-1\r\n"
    : typeof reply === "string"
    ? `${reply}\r\n`
    : typeof reply === "number"
    ? `:${reply}\r\n`
    : Array.isArray(reply)
    ? `*${reply.length}\r\n${reply.map(encode).join("")}`
    : "bulk" in reply
    ? `$${Buffer.byteLength(reply.bulk)}\r\n${reply.bulk}\r\n`
    : ""

/** The commands that a text begins with, and what is left of it. */
const decode = (text: string): readonly [ReadonlyArray<ReadonlyArray<string>>, string] => {
  const commands: Array<ReadonlyArray<string>> = []
  let at = 0
  for (;;) {
    const head = /^\*(\d+)\r\n/u.exec(text.slice(at))
    if (head === null) return [commands, text.slice(at)]
    let next = at + head[0].length
    const words: Array<string> = []
    for (let n = 0; n < Number(head[1]); n++) {
      const size = /^\$(\d+)\r\n/u.exec(text.slice(next))
      const length = Number(size?.[1])
      if (size === null || text.length < next + size[0].length + length + 2) return [commands, text.slice(at)]
      next += size[0].length
      words.push(text.slice(next, next + length))
      next += length + 2
    }
    commands.push(words)
    at = next
  }
}

/** What every server says to a connection that begins. */
const begin: Speech = ([name = ""]) =>
  name.toLowerCase() === "info" ? { bulk: "redis_version:7.0.15\r\nloading:0\r\n" } : undefined

export const make = (speech: (port: number) => Speech, host = "127.0.0.1"): Effect.Effect<FakeNode, never, Scope> =>
  Effect.acquireRelease(
    Effect.async<FakeNode & { readonly end: () => void }>((resume) => {
      const sockets = new Set<Socket>()
      const commands: Array<ReadonlyArray<string>> = []
      let made = 0
      let say: Speech = () => undefined
      const server = createServer((socket) => {
        made++
        sockets.add(socket)
        let rest = ""
        socket.on("error", () => undefined).on("close", () => sockets.delete(socket)).on("data", (data) => {
          const [found, left] = decode(rest + data.toString("latin1"))
          rest = left
          for (const command of found) {
            const greeting = begin(command)
            if (greeting === undefined) commands.push(command)
            const reply = greeting ?? say(command)
            if (reply !== undefined) socket.write(encode(reply))
          }
        })
      })
      server.listen(0, host, () => {
        const address = server.address()
        const port = typeof address === "object" && address !== null ? address.port : 0
        say = speech(port)
        resume(Effect.succeed({
          port,
          commands,
          connections: () => ({ made, standing: sockets.size }),
          end: () => {
            server.close()
            for (const socket of sockets) socket.destroy()
          }
        }))
      })
    }),
    ({ end }) => Effect.sync(end)
  )

/** A reply to `CLUSTER SLOTS`. */
export const slots = (
  ...ranges: ReadonlyArray<readonly [first: number, last: number, host: string | null, port: number]>
): Reply =>
  ranges.map((
    [first, last, host, port]
  ) => [first, last, [host === null ? null : { bulk: host }, port, { bulk: "id" }]])

export const is = (command: ReadonlyArray<string>, ...words: ReadonlyArray<string>): boolean =>
  words.every((word, n) => command[n]?.toLowerCase() === word)
