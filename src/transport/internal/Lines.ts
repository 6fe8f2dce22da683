/**
 * Cuts a stream of bytes into lines of text, in bounded memory.
 *
 * @since 0.1.0
 */
import { isUtf8 } from "node:buffer"

/**
 * What becomes of the lines.
 *
 * @since 0.1.0
 * @category models
 */
export interface Sink {
  /** A line that is UTF-8 and not blank, without its line end. */
  readonly onText: (text: string) => void
  /** A line that is too long, or is not UTF-8. */
  readonly onUnreadable: () => void
}

/**
 * @since 0.1.0
 * @category models
 */
export interface Lines {
  readonly push: (chunk: Uint8Array) => void
  /** No more bytes will come: what is left is a line. */
  readonly end: () => void
}

const newline = 0x0a
const smallestStore = 4096

const isBlank = (line: string): boolean => line.length === 0 || (line.charCodeAt(0) <= 0x20 && line.trim().length === 0)

/**
 * A line of more than `maxBytes` is unreadable as soon as it grows past them;
 * the rest of it is skipped, and the next line is read as usual.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (maxBytes: number, sink: Sink): Lines => {
  let store = Buffer.alloc(0)
  let stored = 0
  let isSkipping = false

  const skip = (): void => {
    isSkipping = true
    store = Buffer.alloc(0)
    stored = 0
    sink.onUnreadable()
  }

  // Grows by doubling, so that a line that comes byte by byte costs no more than one that comes whole.
  const keep = (bytes: Buffer): void => {
    if (isSkipping || bytes.length === 0) return
    if (stored + bytes.length > maxBytes) return skip()
    if (stored + bytes.length > store.length) {
      const larger = Buffer.allocUnsafe(
        Math.min(maxBytes, Math.max(smallestStore, store.length * 2, stored + bytes.length))
      )
      store.copy(larger, 0, 0, stored)
      store = larger
    }
    bytes.copy(store, stored)
    stored += bytes.length
  }

  const line = (bytes: Buffer): void => {
    if (bytes.length > maxBytes || !isUtf8(bytes)) return sink.onUnreadable()
    const text = bytes.toString("utf8")
    if (!isBlank(text)) sink.onText(text)
  }

  const finishStored = (): void => {
    if (isSkipping) {
      isSkipping = false
      return
    }
    const bytes = store.subarray(0, stored)
    store = Buffer.alloc(0)
    stored = 0
    line(bytes)
  }

  // A newline never stands inside a UTF-8 sequence: whole lines are decoded together.
  const lines = (block: Buffer): void => {
    if (block.length <= maxBytes && isUtf8(block)) {
      for (const text of block.toString("utf8").split("\n")) {
        if (!isBlank(text)) sink.onText(text)
      }
      return
    }
    let start = 0
    while (start <= block.length) {
      const found = block.indexOf(newline, start)
      const stop = found === -1 ? block.length : found
      line(block.subarray(start, stop))
      start = stop + 1
    }
  }

  return {
    push: (chunk) => {
      const bytes = Buffer.isBuffer(chunk) ? chunk : Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
      const last = bytes.lastIndexOf(newline)
      if (last === -1) return keep(bytes)
      let start = 0
      if (isSkipping || stored > 0) {
        const first = bytes.indexOf(newline)
        keep(bytes.subarray(0, first))
        finishStored()
        start = first + 1
      }
      if (start <= last) lines(bytes.subarray(start, last))
      keep(bytes.subarray(last + 1))
    },
    end: () => {
      if (isSkipping || stored > 0) finishStored()
    }
  }
}
