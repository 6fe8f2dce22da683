/**
 * The messages of one subscription: each carries the id of the request that
 * opened it.
 *
 * Source: MCP 2026-07-28, basic patterns, subscriptions.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { Announcement, Change, Filter } from "./Change.js"
import { isExit } from "./Ended.js"
import type { Held } from "./Exchange.js"
import type { Handlers, Listener } from "./Handlers.js"
import * as JsonRpc from "./JsonRpc.js"
import type { McpError } from "./McpError.js"
import type { RequestId } from "./McpSchema.js"
import { Key } from "./Meta.js"

/**
 * The part of a filter that a server has declared.
 *
 * @since 0.1.0
 * @category combinators
 */
export const honoured = (wanted: Filter, handlers: Handlers<never>): Filter => ({
  ...(wanted.toolsListChanged === true && handlers.tools?.listChanged === true ? { toolsListChanged: true } : {}),
  ...(wanted.promptsListChanged === true && handlers.prompts?.listChanged === true ? { promptsListChanged: true } : {}),
  ...(wanted.resourcesListChanged === true && handlers.resources?.listChanged === true
    ? { resourcesListChanged: true }
    : {}),
  ...(wanted.resourceSubscriptions !== undefined && handlers.resources?.subscribe === true
    ? { resourceSubscriptions: wanted.resourceSubscriptions }
    : {}),
  ...(wanted.taskIds !== undefined && handlers.tasks !== undefined ? { taskIds: wanted.taskIds } : {})
})

const tag = (id: RequestId): JsonRpc.Json => ({ [Key.subscriptionId]: id })

/**
 * The first message of a subscription.
 *
 * @since 0.1.0
 * @category encoding
 */
export const acknowledged = (id: RequestId, filter: Filter): string =>
  JsonRpc.notification("notifications/subscriptions/acknowledged", { notifications: filter, _meta: tag(id) })

const methods: { readonly [tag in Change["_tag"]]: string } = {
  ToolsChanged: "notifications/tools/list_changed",
  PromptsChanged: "notifications/prompts/list_changed",
  ResourcesChanged: "notifications/resources/list_changed",
  ResourceUpdated: "notifications/resources/updated"
}

/**
 * @since 0.1.0
 * @category models
 */
export type WriteTask = (state: Extract<Announcement, { _tag: "TaskState" }>["task"]) => string

/**
 * What is said of a change or of a task's state; `task` are the fields of the
 * latter, written by the revision.
 *
 * @since 0.1.0
 * @category encoding
 */
export const announced = (id: RequestId, announcement: Announcement, task: WriteTask): string => {
  const meta = JSON.stringify(tag(id))
  switch (announcement._tag) {
    case "TaskState":
      return `{"jsonrpc":"2.0","method":"notifications/tasks","params":{${task(announcement.task)},"_meta":${meta}}}`
    case "ResourceUpdated":
      return JsonRpc.notification(methods.ResourceUpdated, { uri: announcement.uri, _meta: tag(id) })
    default:
      return JsonRpc.notification(methods[announcement._tag], { _meta: tag(id) })
  }
}

/**
 * What a client of a handshake revision is told of a change unasked.
 *
 * @since 0.1.0
 * @category encoding
 */
export const unasked = (change: Change): string =>
  JsonRpc.notification(methods[change._tag], change._tag === "ResourceUpdated" ? { uri: change.uri } : {})

/**
 * Whether a server has declared that it tells of such changes.
 *
 * @since 0.1.0
 * @category guards
 */
export const isDeclared = (change: Change, handlers: Handlers<never>): boolean => {
  switch (change._tag) {
    case "ToolsChanged":
      return handlers.tools?.listChanged === true
    case "PromptsChanged":
      return handlers.prompts?.listChanged === true
    case "ResourcesChanged":
      return handlers.resources?.listChanged === true
    case "ResourceUpdated":
      return handlers.resources?.subscribe === true
  }
}

/**
 * How a revision writes what only it can.
 *
 * @since 0.1.0
 * @category models
 */
export interface Words {
  /** The fields of a task's state. */
  readonly task: WriteTask
  /** The last message of a subscription. */
  readonly last: (id: RequestId) => string
}

/** A subscription under way. One object and no closures, since thousands may be open. */
class Open implements Held, Listener {
  private stop: (() => void) | undefined
  private onEnd: (() => void) | undefined
  private isOver = false
  private notify: (json: string) => boolean
  private readonly id: RequestId
  private readonly words: Words

  constructor(id: RequestId, notify: (json: string) => boolean, words: Words) {
    this.id = id
    this.notify = notify
    this.words = words
  }

  last(): string {
    return this.words.last(this.id)
  }

  acknowledge(honoured: Filter): void {
    // Nothing may be said before this; who does not get it would hear nothing, or what it cannot place.
    if (!this.notify(acknowledged(this.id, honoured))) this.end()
  }

  announce(announcement: Announcement): void {
    if (this.isOver) return
    // Who misses one would not know: the stream ends, and the client looks again.
    if (!this.notify(announced(this.id, announcement, this.words.task))) this.end()
  }

  begun(stop: () => void): void {
    this.stop = stop
    if (this.isOver) this.release()
  }

  hold(notify: (json: string) => boolean, onEnd: () => void): void {
    this.notify = notify
    if (this.isOver) onEnd()
    else this.onEnd = onEnd
  }

  end(): void {
    if (this.isOver) return
    this.isOver = true
    this.release()
    this.onEnd?.()
  }

  close(): void {
    this.isOver = true
    this.onEnd = undefined
    this.release()
  }

  private release(): void {
    this.stop?.()
    this.stop = undefined
  }
}

/**
 * Begins a subscription. `whole` succeeds with its last message when the server
 * has ended it, by `end`
 * or because the client reads too slowly. Where it has begun at once, it can be
 * `held` without running anything.
 *
 * @since 0.1.0
 * @category constructors
 */
export const open = (
  id: RequestId,
  notify: (json: string) => boolean,
  words: Words,
  begin: (listener: Listener) => Effect.Effect<() => void, McpError>
): {
  readonly whole: Effect.Effect<string, McpError>
  readonly held: Held | undefined
  readonly end: () => void
} => {
  const subscription = new Open(id, notify, words)
  const ended = Effect.async<string>((resume) => {
    subscription.hold(notify, () => resume(Exit.succeed(subscription.last())))
    return Effect.sync(() => subscription.close())
  })
  const started = begin(subscription)
  const end = (): void => subscription.end()
  if (isExit(started)) {
    if (Exit.isFailure(started)) return { whole: Exit.failCause(started.cause), held: undefined, end }
    subscription.begun(started.value)
    return { whole: ended, held: subscription, end }
  }
  const whole = Effect.acquireUseRelease(
    Effect.map(started, (stop) => subscription.begun(stop)),
    () => ended,
    () => Effect.sync(() => subscription.close())
  )
  return { whole, held: undefined, end }
}
