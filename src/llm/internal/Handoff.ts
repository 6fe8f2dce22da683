/**
 * Hands pieces from the one who makes them to the one who reads them, and makes
 * the maker wait while the reader is behind.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"

/**
 * For one maker and one reader at a time.
 *
 * @since 0.1.0
 * @category models
 */
export class Handoff<A, E> {
  private items: Array<A> = []
  private end: Cause.Cause<Option.Option<E>> | undefined
  private reader: (() => void) | undefined
  private maker: (() => void) | undefined

  private readonly capacity: number

  constructor(capacity: number) {
    this.capacity = capacity
  }

  get isFull(): boolean {
    return this.items.length >= this.capacity
  }

  offer(item: A): void {
    if (this.end !== undefined) return
    this.items.push(item)
    this.reader?.()
  }

  /** No more will come, for this reason if there is one. What was offered can still be read. */
  close(exit: Exit.Exit<unknown, E>): void {
    this.end ??= Exit.isSuccess(exit) ? Cause.fail(Option.none()) : Cause.map(exit.cause, Option.some)
    this.reader?.()
  }

  /** Until the reader has caught up. */
  readonly room: Effect.Effect<void> = Effect.async((resume) => {
    if (!this.isFull) return resume(Effect.void)
    this.maker = () => {
      this.maker = undefined
      resume(Effect.void)
    }
  })

  /** All there is, and otherwise the next when it comes. */
  readonly take: Effect.Effect<Chunk.Chunk<A>, Option.Option<E>> = Effect.suspend(() => this.drain() ?? this.wait)

  private readonly wait: Effect.Effect<Chunk.Chunk<A>, Option.Option<E>> = Effect.async((resume) => {
    this.reader = () => {
      this.reader = undefined
      resume(this.take)
    }
    return Effect.sync(() => {
      this.reader = undefined
    })
  })

  private drain(): Exit.Exit<Chunk.Chunk<A>, Option.Option<E>> | undefined {
    if (this.items.length === 0) return this.end === undefined ? undefined : Exit.failCause(this.end)
    const items = Chunk.unsafeFromArray(this.items)
    this.items = []
    this.maker?.()
    return Exit.succeed(items)
  }
}
