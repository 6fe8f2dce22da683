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
  /** Whether a caller may know of a resource, and so of its changes. */
  readonly isVisible: (uri: string, caller: Principal) => boolean
  /** Open subscriptions at once. */
  readonly most: number
}

const full = Exit.fail(
  new McpError({
    code: Code.InternalError,
    message: "There are too many subscriptions; close one, or try again later"
  })
)

/** What all open subscriptions may name together, in characters: each may name a thousand things at length. */
const mostCharacters = 64 * 1024 * 1024

const charactersOf = ({ resourceSubscriptions = [], taskIds = [] }: Change.Filter): number => {
  let characters = 0
  for (const name of resourceSubscriptions) characters += name.length
  for (const name of taskIds) characters += name.length
  return characters
}

/** What is wanted, ready to be asked often. */
const wanting = (filter: Change.Filter): (event: Event) => boolean => {
  const uris = filter.resourceSubscriptions === undefined ? undefined : new Set(filter.resourceSubscriptions)
  const taskIds = filter.taskIds === undefined ? undefined : new Set(filter.taskIds)
  return (event) =>
    event._tag === "TaskChanged"
      ? taskIds?.has(event.taskId) === true
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
  { changes, isVisible, most, readTask }: Options
): Effect.Effect<NonNullable<Handlers<Principal>["listen"]>> =>
  Effect.map(Effect.runtime<never>(), (runtime) => {
    const fork = Runtime.runFork(runtime)
    let open = 0
    let characters = 0

    const isFull = (wanted: Change.Filter): boolean =>
      open >= most || (characters > 0 && characters + charactersOf(wanted) > mostCharacters)

    const begin = (filter: Change.Filter, caller: Principal, listener: Listener): () => void => {
      const isWanted = wanting(filter)
      /** The tasks that are being read, and whether they have changed since that began. */
      const reading = filter.taskIds === undefined ? undefined : new Map<string, boolean>()
      let isOpen = true
      const named = charactersOf(filter)
      open += 1
      characters += named
      listener.acknowledge(filter)

      // One read of a task at a time: of two, the older could end last, and a task would seem to go back.
      const tellTask = (taskId: string): void => {
        if (readTask === undefined || reading === undefined) return
        if (reading.has(taskId)) return void reading.set(taskId, true)
        reading.set(taskId, false)
        fork(Effect.map(Effect.exit(readTask(taskId, caller)), (exit) => {
          const state = Exit.isSuccess(exit) ? exit.value : Option.none()
          if (isOpen && Option.isSome(state)) listener.announce({ _tag: "TaskState", task: state.value })
          const hasChanged = reading.get(taskId) === true
          reading.delete(taskId)
          if (isOpen && hasChanged) tellTask(taskId)
        }))
      }
      const stop = changes.listen((event) => {
        if (!isOpen || !isWanted(event)) return
        if (event._tag === "TaskChanged") tellTask(event.taskId)
        else listener.announce(event)
      })
      return () => {
        if (!isOpen) return
        isOpen = false
        open -= 1
        characters -= named
        stop()
      }
    }

    const visible = (wanted: Change.Filter, caller: Principal): Change.Filter =>
      wanted.resourceSubscriptions === undefined ? wanted : {
        ...wanted,
        resourceSubscriptions: wanted.resourceSubscriptions.filter((uri) => isVisible(uri, caller))
      }

    return ({ caller }, asked, listener) => {
      const wanted = visible(asked, caller)
      if (isFull(wanted)) return full
      const { taskIds } = wanted
      if (taskIds === undefined || readTask === undefined) return Exit.succeed(begin(wanted, caller, listener))
      const looked = Effect.filter(
        [...new Set(taskIds)],
        (taskId) =>
          Effect.map(Effect.option(readTask(taskId, caller)), (found) => Option.isSome(Option.flatten(found))),
        { concurrency: 8 }
      )
      // Whoever keeps what begins may let nothing interrupt it; the look at up to a thousand tasks may be.
      return Effect.flatMap(
        Effect.interruptible(looked),
        // Others may have begun meanwhile.
        (own) => {
          const held = { ...wanted, taskIds: own }
          return isFull(held) ? full : Exit.succeed(begin(held, caller, listener))
        }
      )
    }
  })
