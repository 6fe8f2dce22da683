/**
 * What one older client on a pipe is told of changes without being asked.
 *
 * @since 0.1.0
 */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Runtime from "effect/Runtime"
import type * as Scope from "effect/Scope"
import type { Changes, Event } from "../../change/Changes.js"
import type { Change } from "../../protocol/Change.js"

/** @internal */
export interface Options {
  readonly changes: Context.Tag.Service<Changes> | undefined
  /** The message for a change in a revision, if it has one. */
  readonly announcement: (change: Change, version: string) => string | undefined
  readonly send: (json: string) => void
  readonly isBehind: () => boolean
}

/** @internal */
export interface Announcements {
  /** The client has settled on a revision: announcements begin, and nothing is subscribed to. */
  readonly begin: (version: string) => void
  readonly subscribe: (uri: string) => void
  readonly unsubscribe: (uri: string) => void
}

const mostUris = 1000

/** @internal */
export const make = (
  { announcement, changes, isBehind, send }: Options
): Effect.Effect<Announcements, never, Scope.Scope> =>
  Effect.gen(function*() {
    const fork = Runtime.runFork(yield* Effect.runtime<never>())
    const uris = new Set<string>()
    /** What has changed in this turn of the event loop. */
    const changed = new Map<string, Change>()
    let version: string | undefined
    let stop: (() => void) | undefined
    let flushing: NodeJS.Immediate | undefined
    let hasWarned = false

    const isWanted = (event: Event): event is Change =>
      event._tag === "ResourceUpdated" ? uris.has(event.uri) : event._tag !== "TaskChanged"

    const flush = (): void => {
      flushing = undefined
      const changes = [...changed.values()]
      changed.clear()
      for (const change of changes) {
        if (version === undefined || !isWanted(change) || isBehind()) continue
        const json = announcement(change, version)
        if (json !== undefined) send(json)
      }
    }

    const hear = (event: Event): void => {
      if (!isWanted(event)) return
      changed.set(event._tag === "ResourceUpdated" ? `${event._tag} ${event.uri}` : event._tag, event)
      flushing ??= setImmediate(flush)
    }

    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        stop?.()
        if (flushing !== undefined) clearImmediate(flushing)
      })
    )

    return {
      begin: (settled) => {
        version = settled
        uris.clear()
        stop ??= changes?.listen(hear)
      },
      subscribe: (uri) => {
        if (uris.size < mostUris || uris.has(uri)) {
          uris.add(uri)
        } else if (!hasWarned) {
          hasWarned = true
          fork(Effect.logWarning(`A client subscribes to over ${mostUris} resources; updates of the rest are not sent`))
        }
      },
      unsubscribe: (uri) => void uris.delete(uri)
    }
  })
