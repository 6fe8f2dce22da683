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

type WriteTask = (state: Extract<Announcement, { _tag: "TaskState" }>["task"]) => string

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
 * A subscription under way: `whole` succeeds when the server has ended it, by
 * `end` or because the client reads too slowly. Who misses an announcement would
 * not know; so the stream ends, and the client looks again.
 *
 * @since 0.1.0
 * @category constructors
 */
export const open = (
  id: RequestId,
  notify: (json: string) => boolean,
  task: WriteTask | undefined,
  begin: (listener: Listener) => Effect.Effect<() => void, McpError>
): { readonly whole: Effect.Effect<void, McpError>; readonly end: () => void } => {
  let isOver = false
  let wake = (): void => {}
  const end = (): void => {
    isOver = true
    wake()
  }
  const ended = Effect.async<void>((resume) => {
    if (isOver) return resume(Exit.void)
    wake = () => resume(Exit.void)
  })
  const started = begin({
    acknowledge: (honoured) => {
      notify(acknowledged(id, honoured))
    },
    announce: (announcement) => {
      if (!isOver && !notify(announced(id, announcement, task ?? (() => "")))) end()
    }
  })
  return { end, whole: Effect.acquireUseRelease(started, () => ended, (stop) => Effect.sync(stop)) }
}
