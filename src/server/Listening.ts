/**
 * The subscriptions that clients of 2026-07-28 hold open, and what each of them
 * hears.
 *
 * @since 0.1.0
 */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Runtime from "effect/Runtime"
import type { Principal } from "../auth/Principal.js"
import type { Changes, Event } from "../change/Changes.js"
import * as Change from "../protocol/Change.js"
import type { Handlers, Listener } from "../protocol/Handlers.js"
import { Code, McpError } from "../protocol/McpError.js"
import type * as McpTask from "../protocol/McpTask.js"

/**
 * @since 0.1.0
 * @category configuration
 */
export interface Options {
  readonly changes: Context.Tag.Service<Changes>
  /** How a task stands; absent when there are none. */
  readonly readTask:
    | ((taskId: string, caller: Principal) => Effect.Effect<Option.Option<McpTask.State>, unknown>)
    | undefined
  /** Open subscriptions at once. */
  readonly most: number
}

const full = Exit.fail(
  new McpError({
    code: Code.InternalError,
    message: "There are too many subscriptions; close one, or try again later"
  })
)

/** What is wanted, ready to be asked often. */
const wanting = (filter: Change.Filter): (event: Event) => boolean => {
  const uris = filter.resourceSubscriptions === undefined ? undefined : new Set(filter.resourceSubscriptions)
  return (event) =>
    event._tag === "TaskChanged"
      ? filter.taskIds?.includes(event.taskId) === true
      : event._tag === "ResourceUpdated"
      ? uris?.has(event.uri) === true
      : Change.isWanted(filter, event)
}

/**
 * Makes the handler of `subscriptions/listen`. Only tasks of the caller's own
 * are honoured; one more subscription than there is room for is refused.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (
  { changes, most, readTask }: Options
): Effect.Effect<NonNullable<Handlers<Principal>["listen"]>> =>
  Effect.map(Effect.runtime<never>(), (runtime) => {
    const fork = Runtime.runFork(runtime)
    let open = 0

    const begin = (filter: Change.Filter, caller: Principal, listener: Listener): () => void => {
      const isWanted = wanting(filter)
      let isOpen = true
      open += 1
      listener.acknowledge(filter)
      const stop = changes.listen((event) => {
        if (!isOpen || !isWanted(event)) return
        if (event._tag !== "TaskChanged") return listener.announce(event)
        if (readTask === undefined) return
        fork(Effect.map(Effect.option(readTask(event.taskId, caller)), (found) => {
          const state = Option.flatten(found)
          if (isOpen && Option.isSome(state)) listener.announce({ _tag: "TaskState", task: state.value })
        }))
      })
      return () => {
        if (!isOpen) return
        isOpen = false
        open -= 1
        stop()
      }
    }

    return ({ caller }, wanted, listener) => {
      if (open >= most) return full
      const { taskIds } = wanted
      if (taskIds === undefined || readTask === undefined) return Exit.succeed(begin(wanted, caller, listener))
      return Effect.filter(
        [...new Set(taskIds)],
        (taskId) =>
          Effect.map(Effect.option(readTask(taskId, caller)), (found) => Option.isSome(Option.flatten(found))),
        { concurrency: 8 }
      ).pipe(Effect.map((own) => begin({ ...wanted, taskIds: own }, caller, listener)))
    }
  })
