/**
 * The line in which texts of many calls wait for their batch.
 *
 * @since 0.1.0
 */
import * as Deferred from "effect/Deferred"
import type * as FiberId from "effect/FiberId"
import type { EmbedderError } from "../Embedder.js"

/**
 * One call and what it has so far.
 *
 * @since 0.1.0
 * @category models
 */
export interface Call {
  readonly vectors: Array<Float32Array>
  /** How many of its texts have no vector yet. */
  missing: number
  /** When it came, in milliseconds of the clock. */
  readonly since: number
  /** Its `TimeLimit`. */
  readonly limit: number
  readonly done: Deferred.Deferred<ReadonlyArray<Float32Array>, EmbedderError>
}

/**
 * One text of a call.
 *
 * @since 0.1.0
 * @category models
 */
export interface Item {
  readonly call: Call
  readonly index: number
  readonly text: string
}

/**
 * Texts in the order they came. Nothing here waits.
 *
 * @since 0.1.0
 * @category models
 */
export interface TextLine {
  /** Puts a call's texts at the end. */
  readonly enter: (texts: ReadonlyArray<string>, since: number, limit: number, id: FiberId.FiberId) => Call
  /** Takes out what a call still has in line. */
  readonly leave: (call: Call) => void
  /** The call whose text is first. */
  readonly first: () => Call | undefined
  /** Whether the first texts fill a batch. */
  readonly isFull: () => boolean
  /** Takes the next batch from the front; nothing when nobody waits. */
  readonly take: () => ReadonlyArray<Item>
  /** How many texts wait. */
  readonly size: () => number
}

/**
 * Makes an empty line. A batch has at most `maxTexts` texts of `maxLength` UTF-16
 * units together, or a single longer one.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: { readonly maxTexts: number; readonly maxLength: number }): TextLine => {
  const { maxLength, maxTexts } = options
  let items: Array<Item> = []
  /** How many texts of each call wait; those of a call that is not here are passed over. */
  const waiting = new Map<Call, number>()
  let size = 0

  /** The next batch, how far into the line it reaches, and whether anything more would have fitted. */
  const look = () => {
    const batch: Array<Item> = []
    let length = 0
    let at = 0
    for (; at < items.length && batch.length < maxTexts; at++) {
      const item = items[at]
      if (item === undefined || !waiting.has(item.call)) continue
      length += item.text.length
      if (batch.length > 0 && length > maxLength) return { batch, reach: at, isFull: true }
      batch.push(item)
    }
    return { batch, reach: at, isFull: batch.length === maxTexts || length >= maxLength }
  }

  const left = (call: Call, count: number): void => {
    const before = waiting.get(call) ?? 0
    size -= Math.min(before, count)
    if (before <= count) waiting.delete(call)
    else waiting.set(call, before - count)
  }

  return {
    enter: (texts, since, limit, id) => {
      const call: Call = {
        vectors: new Array<Float32Array>(texts.length),
        missing: texts.length,
        since,
        limit,
        done: Deferred.unsafeMake(id)
      }
      for (const [index, text] of texts.entries()) items.push({ call, index, text })
      waiting.set(call, texts.length)
      size += texts.length
      return call
    },
    leave: (call) => {
      left(call, Infinity)
      // Not at every leaving: that would take time by the square of those who leave.
      if (items.length > 64 && items.length > 2 * size) items = items.filter((item) => waiting.has(item.call))
    },
    first: () => items.find((item) => waiting.has(item.call))?.call,
    isFull: () => look().isFull,
    take: () => {
      const { batch, reach } = look()
      items.splice(0, reach)
      for (const item of batch) left(item.call, 1)
      return batch
    },
    size: () => size
  }
}
