/**
 * Writes messages as lines to a stream: together when they come together, and
 * never faster than the stream takes them.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Writable } from "node:stream"

/**
 * Where the lines go. `write` is apart from the stream, for a stream whose own
 * `write` is diverted.
 *
 * @since 0.1.0
 * @category models
 */
export interface Output {
  readonly stream: Writable
  readonly write: (text: string, onWritten: () => void) => boolean
}

/**
 * @since 0.1.0
 * @category models
 */
export interface LineWriter {
  /** Adds a line. It is written with the other lines of this turn of the event loop. */
  readonly send: (line: string) => void
  /** Writes at once what was added. */
  readonly flushNow: () => void
  /** How many characters and bytes wait for the reader, about. */
  readonly waiting: () => number
  /** Succeeds when everything added is written, or never can be. */
  readonly flushed: Effect.Effect<void>
}

/**
 * @since 0.1.0
 * @category models
 */
export interface Listener {
  /** The stream is full: send less. */
  readonly onBlocked: () => void
  readonly onDrained: () => void
  /** The reader has gone. */
  readonly onBroken: () => void
}

const lingerMillis = 200

/**
 * @since 0.1.0
 * @category constructors
 */
export const make = (output: Output, listener: Listener): Effect.Effect<LineWriter, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const waiting = new Set<() => void>()
      let pending = ""
      let unwritten = 0
      let isScheduled = false
      let isBlocked = false
      let isBroken = false

      const settle = (): void => {
        if (!isBroken && (pending.length > 0 || unwritten > 0)) return
        for (const resume of waiting) resume()
        waiting.clear()
      }
      const onWritten = (): void => {
        unwritten -= 1
        settle()
      }
      const flushNow = (): void => {
        isScheduled = false
        if (isBlocked || isBroken || pending.length === 0) return
        const text = pending
        pending = ""
        unwritten += 1
        if (output.write(text, onWritten)) return
        isBlocked = true
        listener.onBlocked()
      }
      const onDrain = (): void => {
        isBlocked = false
        flushNow()
        if (!isBlocked) listener.onDrained()
      }
      const onBroken = (): void => {
        if (isBroken) return
        isBroken = true
        pending = ""
        settle()
        listener.onBroken()
      }
      const send = (line: string): void => {
        if (isBroken) return
        pending += line
        pending += "\n"
        if (isScheduled || isBlocked) return
        isScheduled = true
        setImmediate(flushNow)
      }
      output.stream.on("drain", onDrain)
      output.stream.on("close", onBroken)
      output.stream.on("error", onBroken)
      // A stream that is over says so only once.
      if (!output.stream.writable) onBroken()

      const flushed = Effect.async<void>((resume) => {
        flushNow()
        const done = () => resume(Effect.void)
        waiting.add(done)
        settle()
        return Effect.sync(() => waiting.delete(done))
      })
      // A program that ends must not wait for a reader for ever: by the machine's time, which a test cannot stop.
      const settled = Effect.async<void>((resume) => {
        const timer = setTimeout(() => resume(Effect.void), lingerMillis)
        waiting.add(() => {
          clearTimeout(timer)
          resume(Effect.void)
        })
        flushNow()
        settle()
      })
      const release = Effect.sync(() => {
        // The error listener stays: a broken pipe may be reported after the last write, and must not end the process.
        output.stream.off("drain", onDrain)
        output.stream.off("close", onBroken)
      })
      const waitingNow = (): number => pending.length + output.stream.writableLength
      return { writer: { send, flushNow, flushed, waiting: waitingNow }, release: Effect.zipRight(settled, release) }
    }),
    ({ release }) => release
  ).pipe(Effect.map(({ writer }) => writer))
