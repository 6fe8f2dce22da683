/**
 * The client of SDK v1, which speaks 2025-11-25.
 */
import { Client } from "@modelcontextprotocol/sdk/client/index.js"
import * as V1 from "@modelcontextprotocol/sdk/types.js"
import type { Carrier, Official, Settings } from "./official.js"
import { everything, following, info, listing, pageOf, record, tap } from "./official.js"

export type V1Carrier = Parameters<Client["connect"]>[0]

/** Connects the client of SDK v1, which speaks 2025-11-25. */
export const v1 = async (
  carrier: V1Carrier,
  { capabilities = everything, onList }: Settings = {}
): Promise<Official> => {
  const client = new Client(info, {
    capabilities,
    enforceStrictCapabilities: true,
    ...(onList === undefined ? {} : { listChanged: following(onList) })
  })
  const { answer, answerWith, asked, errors, fail, hear, heard } = record()
  // The tests give answers of the right shapes, and the client checks them.
  if (capabilities["elicitation"] !== undefined) {
    client.setRequestHandler(
      V1.ElicitRequestSchema,
      async (request, { signal }) => await answer(request, signal) as V1.ElicitResult
    )
  }
  if (capabilities["sampling"] !== undefined) {
    client.setRequestHandler(
      V1.CreateMessageRequestSchema,
      async (request, { signal }) => await answer(request, signal) as V1.CreateMessageResult
    )
  }
  if (capabilities["roots"] !== undefined) {
    client.setRequestHandler(
      V1.ListRootsRequestSchema,
      async (request, { signal }) => await answer(request, signal) as V1.ListRootsResult
    )
  }
  client.setNotificationHandler(V1.LoggingMessageNotificationSchema, hear)
  client.setNotificationHandler(V1.ToolListChangedNotificationSchema, hear)
  client.setNotificationHandler(V1.PromptListChangedNotificationSchema, hear)
  client.setNotificationHandler(V1.ResourceListChangedNotificationSchema, hear)
  client.setNotificationHandler(V1.ResourceUpdatedNotificationSchema, hear)
  client.onerror = fail
  client.fallbackNotificationHandler = async (notification) => hear(notification)
  const { listen, raw, told } = tap(carrier as Carrier)
  await client.connect(carrier)
  listen()
  const page: Official["page"] = async (kind, cursor) => {
    const params = cursor === undefined ? {} : { cursor }
    switch (kind) {
      case "tools":
        return pageOf(kind, await client.listTools(params))
      case "resources":
        return pageOf(kind, await client.listResources(params))
      case "resourceTemplates":
        return pageOf(kind, await client.listResourceTemplates(params))
      case "prompts":
        return pageOf(kind, await client.listPrompts(params))
    }
  }
  return {
    revision: told.revision,
    isModern: false,
    info: client.getServerVersion(),
    instructions: client.getInstructions(),
    capabilities: { ...client.getServerCapabilities() },
    heard,
    asked,
    errors,
    raw,
    answerWith,
    page,
    all: listing(page),
    call: (name, args = {}, { meta, onprogress, signal } = {}) =>
      client.callTool(
        { name, arguments: { ...args }, ...(meta === undefined ? {} : { _meta: { ...meta } }) },
        undefined,
        {
          ...(signal === undefined ? {} : { signal }),
          ...(onprogress === undefined ? {} : { onprogress: (update) => onprogress({ ...update }) })
        }
      ),
    read: (uri) => client.readResource({ uri }),
    prompt: (name, args = {}) => client.getPrompt({ name, arguments: args }),
    complete: (params) => client.complete(params),
    request: (method, params) => client.request({ method, params: { ...params } }, V1.ResultSchema),
    close: () => client.close(),
    setLevel: (level) => client.setLoggingLevel(level),
    subscribe: (uri) => client.subscribeResource({ uri }),
    unsubscribe: (uri) => client.unsubscribeResource({ uri }),
    ping: () => client.ping(),
    changeRoots: () => client.sendRootsListChanged(),
    listen: () => Promise.reject(new Error("SDK v1 knows no subscriptions"))
  }
}
