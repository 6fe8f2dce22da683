/**
 * What a server tells those who listen: which list or resource changed.
 *
 * Source: MCP 2026-07-28, basic patterns, subscriptions.
 *
 * @since 0.1.0
 */
import type { State } from "./McpTask.js"

/**
 * A list, or the content of one resource, is no longer what it was.
 *
 * @since 0.1.0
 * @category models
 */
export type Change =
  | { readonly _tag: "ToolsChanged" }
  | { readonly _tag: "PromptsChanged" }
  | { readonly _tag: "ResourcesChanged" }
  | { readonly _tag: "ResourceUpdated"; readonly uri: string }

/**
 * What can be said on an open subscription.
 *
 * @since 0.1.0
 * @category models
 */
export type Announcement = Change | { readonly _tag: "TaskState"; readonly task: State }

/**
 * What a client wants to hear of; absent is off.
 *
 * @since 0.1.0
 * @category models
 */
export interface Filter {
  readonly toolsListChanged?: boolean
  readonly promptsListChanged?: boolean
  readonly resourcesListChanged?: boolean
  /** The resources whose updates are wanted, by URI. */
  readonly resourceSubscriptions?: ReadonlyArray<string>
  /** The tasks whose states are wanted. */
  readonly taskIds?: ReadonlyArray<string>
}

/**
 * Whether a filter lets a change through.
 *
 * @since 0.1.0
 * @category guards
 */
export const isWanted = (filter: Filter, change: Change): boolean => {
  switch (change._tag) {
    case "ToolsChanged":
      return filter.toolsListChanged === true
    case "PromptsChanged":
      return filter.promptsListChanged === true
    case "ResourcesChanged":
      return filter.resourcesListChanged === true
    case "ResourceUpdated":
      return filter.resourceSubscriptions?.includes(change.uri) === true
  }
}
