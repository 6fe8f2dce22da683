/**
 * What a server says it can do: exactly what it serves to that client.
 *
 * @since 0.1.0
 */
import type { Handlers } from "./Handlers.js"
import type { Json } from "./JsonRpc.js"
import * as McpTask from "./McpTask.js"

const flags = (names: { readonly [name: string]: boolean }): Json =>
  Object.fromEntries(Object.entries(names).filter(([, isSet]) => isSet))

/**
 * The capabilities of a server: on 2026-07-28 changes are announced to those who
 * listen; on the handshake revisions unasked, where there is a way (`canAnnounce`).
 *
 * @since 0.1.0
 * @category constructors
 */
export const capabilities = (
  handlers: Handlers<never>,
  options: { readonly isStateless: boolean; readonly canAnnounce: boolean }
): Json => {
  const { complete, extensions, logging, prompts, resources, tasks, tools } = handlers
  const announces = options.isStateless ? handlers.listen !== undefined : options.canAnnounce
  const settings = { ...extensions, ...(tasks === undefined ? {} : { [McpTask.extension]: {} }) }
  return {
    ...(tools === undefined ? {} : { tools: flags({ listChanged: announces && tools.listChanged }) }),
    ...(resources === undefined ? {} : {
      resources: flags({
        subscribe: announces && resources.subscribe,
        listChanged: announces && resources.listChanged
      })
    }),
    ...(prompts === undefined ? {} : { prompts: flags({ listChanged: announces && prompts.listChanged }) }),
    ...(complete === undefined ? {} : { completions: {} }),
    ...(logging === true ? { logging: {} } : {}),
    ...(options.isStateless && Object.keys(settings).length > 0 ? { extensions: settings } : {})
  }
}
