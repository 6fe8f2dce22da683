/**
 * Laws of calls that ask nothing back: answers and their schemas, failures,
 * headers, progress, the log, cancelling and going away.
 */
import { assert } from "@effect/vitest"
import { LOG_LEVEL_META_KEY } from "@modelcontextprotocol/client"
import { Ajv2020 } from "ajv/dist/2020.js"
import type { Law, Subject } from "../Law.js"
import { failureOf, refusal, saw, textOf, until } from "../Law.js"
import type { Json, Official } from "../official.js"

const logged = (client: Official): ReadonlyArray<Json> =>
  client.heard.filter(({ method }) => method === "notifications/message").map(({ params }) => params)

const errors: Json = { level: "error", data: "at error" }
const warnings: Json = { level: "warning", data: "at warning", logger: "full" }
const infos: Json = { level: "info", data: { at: "info" } }
const debugs: Json = { level: "debug", data: "at debug" }

/** What a call of the logging tool lets the client hear. */
const heardIn = async (client: Official, expected: ReadonlyArray<Json>, meta?: Json): Promise<void> => {
  const before = logged(client).length
  await client.call("lines_in_the_log", {}, meta === undefined ? {} : { meta })
  await until(() => logged(client).length - before >= expected.length, "the log to be heard")
  const lines = logged(client).slice(before).map(({ data, level, logger }) => ({
    level,
    data,
    ...(logger === undefined ? {} : { logger })
  }))
  assert.deepEqual(lines, [...expected])
}

/** Over HTTP an older client that goes away has not cancelled what it asked. */
const goesOn = ({ isModern, place }: Pick<Subject, "isModern" | "place">): boolean => place === "http" && !isModern

export const laws: ReadonlyArray<Law> = [
  {
    name: "gets structured content that the tool's own schema allows",
    check: async ({ client }) => {
      const tools = await client.all("tools")
      const tool = tools.find(({ name }) => name === "sum_of_numbers")
      const ajv = new Ajv2020({ strict: false, validateFormats: false })
      const validate = ajv.compile(Object(tool).outputSchema)
      for (const [numbers, data] of [[[1, 2.5], { sum: 3.5, count: 2, first: 1 }], [[], { sum: 0, count: 0 }]]) {
        const result = await client.call("sum_of_numbers", { numbers })
        const structured = Object(result["structuredContent"])
        assert.isTrue(validate(structured), JSON.stringify(validate.errors))
        assert.deepEqual(structured.data, data)
        assert.strictEqual(structured.confidence, 1)
        assert.strictEqual(structured.sources[0].kind, "computation")
      }
    }
  },
  {
    name: "takes every kind of content block",
    check: async ({ client }) => {
      const { content } = await client.call("blocks_of_every_kind")
      assert.deepEqual(
        Object(content).map(({ type }: { readonly type: string }) => type),
        ["text", "image", "audio", "resource_link", "resource"]
      )
    }
  },
  {
    name: "is told of failures in the result, and of unknown tools in an error",
    check: async ({ client }) => {
      await client.all("tools")
      const failed = await client.call("failure_in_words")
      assert.isTrue(failed["isError"])
      assert.include(textOf(failed), "There is no such thing here.")
      assert.strictEqual(failureOf(failed), "not_found")
      const wrong = await client.call("sum_of_numbers", { numbers: ["one"] })
      assert.isTrue(wrong["isError"])
      assert.strictEqual(failureOf(wrong), "invalid_input")
      assert.strictEqual((await refusal(client.call("no_such_tool")))["code"], -32602)
    }
  },
  {
    name: "mirrors a parameter in a header when the tool asks for that",
    check: async (subject) => {
      const { client, own } = subject
      const key = own("region")
      const regions = ["eu-west-1", " Zürich ", "=?base64?eA==?=", ""]
      await client.all("tools")
      for (const region of regions) {
        assert.strictEqual(textOf(await client.call("region_of_header", { key, region })), region)
      }
      await saw(subject, key, regions.map((region) => `region ${region}`))
    }
  },
  {
    name: "recovers when it has not seen yet which parameter to mirror",
    where: ({ isModern, place }) => isModern && place === "http",
    check: async (subject) => {
      const key = subject.own("unseen region")
      const client = await subject.connect({ capabilities: {} })
      assert.strictEqual(textOf(await client.call("region_of_header", { key, region: "eu" })), "eu")
      await saw(subject, key, ["region eu"])
    }
  },
  {
    name: "hears of progress in order, and only before the answer",
    check: async (subject) => {
      const { client, own } = subject
      const key = own("progress")
      const expected = [1, 2, 3].map((step) => ({ progress: step, total: 3, message: `step ${step}` }))
      let updates: Array<Json> = []
      let calls = 0
      // The clients drop an update that they read together with the answer.
      await until(async () => {
        const before = client.raw.length
        updates = []
        calls += 1
        const result = await client.call("steps_with_progress", { key, steps: 3 }, {
          onprogress: (update) => void updates.push(update)
        })
        assert.strictEqual(textOf(result), "3 steps")
        assert.deepEqual(
          client.raw.slice(before).map(({ method, params }) =>
            method === undefined ? "answer" : Object(params).message
          ),
          ["step 1", "step 2", "step 3", "answer"]
        )
        return updates.length === 3
      }, "every update to be heard")
      assert.deepEqual(updates, expected)
      await saw(subject, key, Array.from({ length: calls }, () => expected.map(({ message }) => message)).flat())
      const before = client.raw.length
      await client.call("steps_with_progress", { key, steps: 1 })
      assert.strictEqual(client.raw.length, before + 1)
    }
  },
  {
    name: "hears the log of a request at the level of that request, and else nothing",
    where: ({ isModern }) => isModern,
    check: async ({ client }) => {
      await heardIn(client, [])
      await heardIn(client, [warnings, errors], { [LOG_LEVEL_META_KEY]: "warning" })
      await heardIn(client, [debugs, infos, warnings, errors], { [LOG_LEVEL_META_KEY]: "debug" })
      await heardIn(client, [], { [LOG_LEVEL_META_KEY]: "critical" })
      await heardIn(client, [])
      const unknown = client.call("lines_in_the_log", {}, { meta: { [LOG_LEVEL_META_KEY]: "loud" } })
      assert.strictEqual((await refusal(unknown))["code"], -32602)
    }
  },
  {
    name: "hears the log at the level it has set, until it sets another",
    where: ({ isModern }) => !isModern,
    check: async ({ client }) => {
      await client.setLevel("warning")
      await heardIn(client, [warnings, errors])
      await client.setLevel("debug")
      await heardIn(client, [debugs, infos, warnings, errors])
      await client.setLevel("emergency")
      await heardIn(client, [])
    }
  },
  {
    name: "is answered its ping, and may say that its folders changed",
    where: ({ isModern }) => !isModern,
    check: async ({ client }) => {
      await client.changeRoots()
      assert.deepEqual(await client.ping(), {})
    }
  },
  {
    name: "cancels a call by its signal, and goes on",
    check: async ({ client, noted, own }) => {
      const key = own("cancel")
      const controller = new AbortController()
      const call = refusal(client.call("endless_wait", { key }, { signal: controller.signal }))
      await until(() => noted(key).includes("began"), "the call to begin")
      controller.abort("changed my mind")
      assert.include(String((await call)["message"]), "changed my mind")
      await until(() => noted(key).includes("interrupted"), "the handler to be interrupted")
      assert.strictEqual(
        Object((await client.call("sum_of_numbers", { numbers: [2] }))["structuredContent"]).data.sum,
        2
      )
    }
  }
]

/** Last of all: the client closes. */
export const closing: ReadonlyArray<Law> = [
  {
    name: "has found nothing wrong with what it was told",
    check: async ({ client }) => {
      assert.deepEqual(client.errors.map(({ message }) => message), [])
    }
  },
  {
    name: "closes, which ends its calls",
    where: (subject) => !goesOn(subject),
    check: async ({ client, noted, own, place }) => {
      const key = own("close")
      const exits = noted("process").length
      const call = refusal(client.call("endless_wait", { key }))
      await until(() => noted(key).includes("began"), "the call to begin")
      await client.close()
      await call
      await until(() => noted(key).includes("interrupted"), "the handler to be interrupted")
      if (place !== "stdio") return
      await until(() => noted("process").length > exits, "the process to exit")
      assert.strictEqual(noted("process").at(-1), "exited 0")
    }
  },
  {
    name: "closes, which ends none of its calls",
    where: goesOn,
    check: async (subject) => {
      const { client, noted, own } = subject
      const key = own("close")
      const call = refusal(client.call("slow_words", { key, ms: 100 }))
      await until(() => noted(key).includes("began"), "the call to begin")
      await client.close()
      await call
      await saw(subject, key, ["began", "finished"])
    }
  }
]
