/**
 * Laws of tasks. No official client knows the extension: the v2 client declares
 * it and sends its methods as any others, and refuses the result that says a task
 * was made, so that one is read where it came in.
 */
import { assert } from "@effect/vitest"
import { CLIENT_CAPABILITIES_META_KEY } from "@modelcontextprotocol/client"
import type { Law } from "../Law.js"
import { refusal, saw, textOf, until } from "../Law.js"
import type { Json, Official } from "../official.js"

/** Calls a tool that becomes a task, and gives the task as it was made. */
const begin = async (client: Official, name: string, args: Json): Promise<Json> => {
  const before = client.raw.length
  const error = await refusal(client.call(name, args))
  assert.include(String(error["message"]), "Unsupported result type 'task'")
  const created = client.raw.slice(before).map(({ result }) => Object(result)).find(({ taskId }) =>
    taskId !== undefined
  )
  assert.strictEqual(created?.resultType, "task")
  assert.strictEqual(created.status, "working")
  assert.strictEqual(created.pollIntervalMs, 20)
  return created
}

const state = (client: Official, { taskId }: Json): Promise<Json> => client.request("tasks/get", { taskId })

/** Looks at a task until its status is another one. */
const after = async (client: Official, task: Json, status: string): Promise<Json> => {
  let last: Json = {}
  await until(async () => {
    last = await state(client, task)
    return last["status"] !== status
  }, `the task to be no longer ${status}`)
  return last
}

export const laws: ReadonlyArray<Law> = [
  {
    name: "gets a task, and its result when it is done",
    where: ({ isModern }) => isModern,
    check: async (subject) => {
      const { client, own } = subject
      const key = own("report")
      const task = await begin(client, "report_of_year", { key, year: 1900 })
      const done = await after(client, task, "working")
      assert.strictEqual(done["status"], "completed")
      assert.strictEqual(Object(done["result"]).structuredContent.data.report, "Nothing happened in 1900.")
      await saw(subject, key, ["written"])
      assert.strictEqual((await refusal(client.request("tasks/get", { taskId: "no-such-task" })))["code"], -32602)
    }
  },
  {
    name: "answers the question of a task",
    where: ({ isModern }) => isModern,
    check: async (subject) => {
      const { client, own } = subject
      const key = own("signed")
      const task = await begin(client, "report_with_name", { key })
      const waiting = await after(client, task, "working")
      assert.strictEqual(waiting["status"], "input_required")
      const [[name, request]] = Object.entries(Object(waiting["inputRequests"])) as [[string, Json]]
      assert.strictEqual(request["method"], "elicitation/create")
      assert.strictEqual(Object(request["params"]).message, "Who signs?")
      await client.request("tasks/update", {
        taskId: task["taskId"],
        inputResponses: { [name]: { action: "accept", content: { name: "Ada" } } }
      })
      await until(async () => (await state(client, task))["status"] === "completed", "the task to be completed")
      assert.strictEqual(textOf(Object((await state(client, task))["result"])), "signed by Ada")
      await saw(subject, key, ["signed Ada"])
    }
  },
  {
    name: "cancels a task, and hears of it on a subscription",
    where: ({ isModern }) => isModern,
    check: async ({ client, noted, own }) => {
      const key = own("endless")
      const task = await begin(client, "report_without_end", { key })
      const taskId = String(task["taskId"])
      const subscription = await client.listen({ taskIds: [taskId] })
      await until(() => noted(key).includes("began"), "the task to begin")
      await client.request("tasks/cancel", { taskId })
      await until(() => noted(key).includes("interrupted"), "the handler to be interrupted")
      assert.strictEqual((await state(client, task))["status"], "cancelled")
      const told = () =>
        client.heard.filter(({ method, params }) => method === "notifications/tasks" && params["taskId"] === taskId)
      await until(() => told().at(-1)?.params["status"] === "cancelled", "the cancellation to be told")
      await subscription.close()
    }
  },
  {
    name: "waits for the answer when its request declares no tasks",
    where: ({ isModern }) => isModern,
    check: async ({ client, own }) => {
      const meta = { [CLIENT_CAPABILITIES_META_KEY]: {} }
      const args = { key: own("patient"), year: 1901 }
      const result = await client.call("report_of_year", args, { meta })
      assert.strictEqual(Object(result["structuredContent"]).data.report, "Nothing happened in 1901.")
      const error = await refusal(client.call("report_with_name", { key: own("patient") }, { meta }))
      assert.strictEqual(error["code"], -32021)
      assert.deepEqual(error["data"], {
        requiredCapabilities: { extensions: { "io.modelcontextprotocol/tasks": {} } }
      })
    }
  },
  {
    name: "waits for the answer, and is refused what can only be a task",
    where: ({ isModern }) => !isModern,
    check: async ({ client, own }) => {
      const key = own("patient")
      const result = await client.call("report_of_year", { key, year: 1901 })
      assert.strictEqual(Object(result["structuredContent"]).data.report, "Nothing happened in 1901.")
      const error = await refusal(client.call("report_without_end", { key }))
      assert.strictEqual(error["code"], -32600)
      assert.include(String(error["message"]), "io.modelcontextprotocol/tasks")
    }
  }
]
