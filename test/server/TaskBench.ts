/**
 * What the tests of the task runner run: a registry made by hand, a store that
 * can be told to fail, and a record of what was announced.
 *
 * @since 0.1.0
 */
import { assert } from "@effect/vitest"
import * as Asking from "causeway-mcp/ask/Asking"
import * as Principal from "causeway-mcp/auth/Principal"
import type { Changes } from "causeway-mcp/change/Changes"
import type { RequestContext } from "causeway-mcp/protocol/Handlers"
import type { McpError } from "causeway-mcp/protocol/McpError"
import { invalidParams } from "causeway-mcp/protocol/McpError"
import type { ToolResult } from "causeway-mcp/protocol/McpSchema"
import type * as McpTask from "causeway-mcp/protocol/McpTask"
import * as TaskRunner from "causeway-mcp/server/TaskRunner"
import * as TaskStore from "causeway-mcp/task/TaskStore"
import type { TaskOptions } from "causeway-mcp/tool/Tool"
import * as ToolCodec from "causeway-mcp/tool/ToolCodec"
import type { Body } from "causeway-mcp/tool/ToolError"
import type { Request, ToolRegistry } from "causeway-mcp/toolkit/ToolRegistry"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Queue from "effect/Queue"

export type Store = TaskStore.TaskStore["Type"]

export type Outcome = ToolResult | Asking.Paused

/** A tool of the hand-made registry. */
export interface Tool {
  readonly task?: TaskOptions
  readonly scopes?: ReadonlyArray<string>
  readonly call: (request: Request) => Effect.Effect<Outcome, McpError>
}

export const atOnce: TaskOptions = { support: "optional", begins: "atOnce" }

export const whenTold: TaskOptions = { support: "optional", begins: "whenTold" }

export const result = (text: string, isError = false): ToolResult => ({
  _tag: "Complete",
  content: [{ type: "text", text }],
  isError
})

/** Asks under these keys, with a memo that holds them as open. */
export const pause = (keys: ReadonlyArray<string>, memo: Partial<Asking.Memo> = {}): Asking.Paused => ({
  _tag: "Paused",
  requests: Object.fromEntries(
    keys.map((key) => [key, { method: "elicitation/create", params: { message: `What is ${key}?` } }])
  ),
  memo: { ...Asking.nothing, open: keys, ...memo }
})

export const ada = Principal.make({ id: "ada", tenant: "heronry", scopes: ["*"] })

export const eve = Principal.make({ id: "eve", tenant: "heronry", scopes: ["*"] })

export const registry = (tools: { readonly [name: string]: Tool }): Context.Tag.Service<ToolRegistry> => {
  const described = Object.entries(tools).map(([name, tool]) => ({
    tool,
    description: { name, description: "A tool of the tests", inputSchema: { type: "object" as const } }
  }))
  return {
    list: (caller) =>
      described.filter(({ tool }) => Principal.isAllowed(caller, tool.scopes ?? [])).map(({ description }) =>
        description
      ),
    find: () => Option.none(),
    warnings: [],
    plan: [],
    headers: () => undefined,
    lacking: () => undefined,
    timeout: () => 30_000,
    priority: () => undefined,
    turnedAway: () => undefined,
    task: (name) => tools[name]?.task ?? (name in tools ? { support: "forbidden", begins: "atOnce" } : undefined),
    add: () => Effect.dieMessage("the runner adds no tools"),
    remove: () => Effect.dieMessage("the runner removes no tools"),
    call: (request) => tools[request.name]?.call(request) ?? Exit.fail(invalidParams("Unknown tool"))
  }
}

export const request = (name: string, more: Partial<Request> = {}): Request => ({
  name,
  arguments: { year: 2026 },
  caller: ada,
  requestId: 7,
  meta: {},
  reportProgress: () => undefined,
  log: () => undefined,
  beginTask: Exit.succeed(false),
  asking: { memo: Asking.nothing, responses: {}, clientCapabilities: { elicitation: {} } },
  ...more
})

export const context = (caller: Principal.Principal = ada): RequestContext<Principal.Principal> => ({
  caller,
  requestId: 8,
  revision: "2026-07-28",
  clientCapabilities: { elicitation: {} },
  meta: { from: "update" },
  progress: () => undefined,
  log: () => undefined
})

/** A runner with its store, and the ids of the tasks it announced, in turn. */
export const make = (
  tools: { readonly [name: string]: Tool },
  options: Partial<TaskRunner.Options> = {}
) =>
  Effect.gen(function*() {
    const store = options.store ?? (yield* TaskStore.makeMemory())
    const announced = yield* Queue.unbounded<string>()
    const changes: Context.Tag.Service<Changes> = {
      publish: (event) => event._tag === "TaskChanged" ? Queue.offer(announced, event.taskId) : Effect.void,
      listen: () => () => undefined
    }
    const runner = yield* TaskRunner.make({ registry: registry(tools), changes, ...options, store })
    const call = (name: string, more?: Partial<Request>) => runner.call(request(name, more), { clientKnowsTasks: true })
    return {
      runner,
      store,
      call,
      /** Calls a tool and gives the id of the task it became. */
      begin: (name: string, more?: Partial<Request>) => Effect.map(call(name, more), idOf),
      /** The next task that was announced as changed. */
      changed: Queue.take(announced),
      see: (taskId: string) => runner.handlers.get(context(), taskId),
      answer: (taskId: string, inputResponses: McpTask.Update["inputResponses"]) =>
        runner.handlers.update(context(), { taskId, inputResponses })
    }
  })

/** The id of the task that a call became. */
export const idOf = (reply: Outcome | McpTask.Created): string => {
  assert.strictEqual(reply._tag, "Task")
  return reply._tag === "Task" ? reply.task.taskId : ""
}

/** The text of a result, or of a completed task's. */
export const textOf = (given: Outcome | McpTask.Created | McpTask.State): string => {
  const answer = "status" in given && given.status === "completed" ? given.result : given
  const block = "content" in answer ? answer.content[0] : undefined
  return block?.type === "text" ? block.text : `no text: ${JSON.stringify(given)}`
}

/** The body of a tool's failure. */
export const bodyOf = (given: Outcome | McpTask.Created): Body | undefined =>
  given._tag === "Complete" ? given._meta?.[ToolCodec.errorMetaKey] as Body | undefined : undefined

/** What a client answers to a question. */
export const answer = (value: string) => ({ action: "accept", content: { value } })

/** The store does not answer. */
export const outage = (method: TaskStore.TaskStoreError["method"]) =>
  new TaskStore.TaskStoreError({ method, reason: new TaskStore.Unavailable({ cause: new Error("a secret address") }) })
