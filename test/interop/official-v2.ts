/**
 * The v2 client, in each of its modes.
 */
import * as V2 from "@modelcontextprotocol/client"
import type { Json, Official, Settings } from "./official.js"
import { everything, following, info, pageOf, record, tap } from "./official.js"

const methods = {
  tools: "tools/list",
  resources: "resources/list",
  resourceTemplates: "resources/templates/list",
  prompts: "prompts/list"
} as const

/** Takes any result as it came. */
const anything: V2.StandardSchemaV1<unknown, Json> = {
  "~standard": { version: 1, vendor: "interop", validate: (value) => ({ value: Object(value) }) }
}

/** How a v2 client may choose its revision, and which it ends with. */
export const modes = [
  ["auto", "auto", "2026-07-28"],
  ["pinned", { pin: "2026-07-28" }, "2026-07-28"],
  ["legacy", "legacy", "2025-11-25"]
] as const

/** Connects a v2 client, which speaks 2026-07-28 when it is let. */
export const v2 = async (
  carrier: V2.Transport,
  mode: V2.VersionNegotiationMode,
  { capabilities = everything, onList }: Settings = {}
): Promise<Official> => {
  const client = new V2.Client(info, {
    capabilities,
    enforceStrictCapabilities: true,
    versionNegotiation: { mode },
    ...(onList === undefined ? {} : { listChanged: following(onList) })
  })
  const { answer, answerWith, asked, errors, fail, hear, heard } = record()
  // The tests give answers of the right shapes, and the client checks them.
  if (capabilities["elicitation"] !== undefined) {
    client.setRequestHandler(
      "elicitation/create",
      async (request, { mcpReq }) => await answer(request, mcpReq.signal) as V2.ElicitResult
    )
  }
  if (capabilities["sampling"] !== undefined) {
    client.setRequestHandler(
      "sampling/createMessage",
      async (request, { mcpReq }) => await answer(request, mcpReq.signal) as V2.CreateMessageResult
    )
  }
  if (capabilities["roots"] !== undefined) {
    client.setRequestHandler(
      "roots/list",
      async (request, { mcpReq }) => await answer(request, mcpReq.signal) as V2.ListRootsResult
    )
  }
  client.setNotificationHandler("notifications/message", hear)
  client.setNotificationHandler("notifications/tools/list_changed", hear)
  client.setNotificationHandler("notifications/prompts/list_changed", hear)
  client.setNotificationHandler("notifications/resources/list_changed", hear)
  client.setNotificationHandler("notifications/resources/updated", hear)
  client.onerror = fail
  client.fallbackNotificationHandler = async (notification) => hear(notification)
  const { listen, raw } = tap(carrier)
  await client.connect(carrier)
  listen()
  const page: Official["page"] = async (kind, cursor) => {
    // Without a cursor the client's own methods walk all the pages.
    if (cursor === undefined) return pageOf(kind, await client.request({ method: methods[kind] }))
    switch (kind) {
      case "tools":
        return pageOf(kind, await client.listTools({ cursor }))
      case "resources":
        return pageOf(kind, await client.listResources({ cursor }))
      case "resourceTemplates":
        return pageOf(kind, await client.listResourceTemplates({ cursor }))
      case "prompts":
        return pageOf(kind, await client.listPrompts({ cursor }))
    }
  }
  const all: Official["all"] = async (kind) => {
    switch (kind) {
      case "tools":
        return pageOf(kind, await client.listTools()).items
      case "resources":
        return pageOf(kind, await client.listResources()).items
      case "resourceTemplates":
        return pageOf(kind, await client.listResourceTemplates()).items
      case "prompts":
        return pageOf(kind, await client.listPrompts()).items
    }
  }
  return {
    revision: client.getNegotiatedProtocolVersion(),
    isModern: client.getProtocolEra() === "modern",
    info: client.getServerVersion(),
    instructions: client.getInstructions(),
    capabilities: { ...client.getServerCapabilities() },
    heard,
    asked,
    errors,
    raw,
    answerWith,
    page,
    all,
    call: (name, args = {}, { meta, onprogress, signal } = {}) =>
      client.callTool({ name, arguments: { ...args }, ...(meta === undefined ? {} : { _meta: { ...meta } }) }, {
        ...(signal === undefined ? {} : { signal }),
        ...(onprogress === undefined ? {} : { onprogress: (update) => onprogress({ ...update }) })
      }),
    read: (uri) => client.readResource({ uri }),
    prompt: (name, args = {}) => client.getPrompt({ name, arguments: args }),
    complete: (params) => client.complete(params),
    request: (method, params) => client.request({ method, params: { ...params } }, anything),
    close: () => client.close(),
    setLevel: (level) => client.setLoggingLevel(level),
    subscribe: (uri) => client.subscribeResource({ uri }),
    unsubscribe: (uri) => client.unsubscribeResource({ uri }),
    ping: () => client.ping(),
    changeRoots: () => client.sendRootsListChanged(),
    listen: (filter) => client.listen(filter)
  }
}
