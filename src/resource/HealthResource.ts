/**
 * The state of the server's sources as a resource, for agents and the people who
 * look after them.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import { Health } from "../health/Health.js"
import * as McpResource from "./McpResource.js"

/**
 * @since 0.1.0
 * @category constants
 */
export const uri = "health://report"

/**
 * @since 0.1.0
 * @category configuration
 */
export interface Options {
  /** `health` unless given. */
  readonly name?: string | undefined
  readonly title?: string | undefined
  readonly description?: string | undefined
  /** All of these are needed to see and to read it, for example `ops:read`; none unless given. */
  readonly scopes?: ReadonlyArray<string> | undefined
}

/**
 * Serves what `Health` reports as JSON: the verdict, and each source by name with
 * its status, since when, and how long its last check took. Not to be kept.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: Options = {}): McpResource.McpResource<Health> =>
  McpResource.make(uri, {
    name: options.name ?? "health",
    title: options.title ?? "Health of the sources",
    description: options.description ??
      "Which of the sources that the tools rest on answer, and since when. Read it when tools fail as unavailable.",
    mimeType: "application/json",
    ...(options.scopes === undefined ? {} : { scopes: options.scopes }),
    read: () => Effect.flatMap(Health, (health) => Effect.map(health.report, (report) => McpResource.json(report)))
  })
