/**
 * Laws of what a server offers: its introduction, its lists, and reading,
 * prompting and completing.
 */
import { assert } from "@effect/vitest"
import { instructions, pageSize, toolNames } from "../full-server.js"
import type { Law } from "../Law.js"
import { lastCode, namesOf, refusal } from "../Law.js"
import type { Kind } from "../official.js"

const names: { readonly [K in Kind]: ReadonlyArray<string> } = {
  tools: toolNames,
  resources: ["greeting", "price", "weather", "pixel", "secret"],
  resourceTemplates: ["city"],
  prompts: ["greeting_of_person", "greeting_by_form", "hello_one", "hello_two"]
}

const kinds: ReadonlyArray<Kind> = ["tools", "resources", "resourceTemplates", "prompts"]

export const laws: ReadonlyArray<Law> = [
  {
    name: "is introduced to the server, with all it can do",
    check: async ({ client, isModern }) => {
      assert.strictEqual(client.isModern, isModern)
      assert.strictEqual(client.revision, isModern ? "2026-07-28" : "2025-11-25")
      assert.deepInclude(client.info, { name: "full", version: "1.0.0", title: "Everything" })
      assert.strictEqual(client.instructions, instructions)
      assert.deepInclude(client.capabilities, {
        tools: { listChanged: true },
        prompts: { listChanged: true },
        resources: { listChanged: true, subscribe: true },
        completions: {},
        logging: {}
      })
      assert.deepEqual(
        client.capabilities["extensions"],
        isModern ? { "io.modelcontextprotocol/tasks": {} } : undefined
      )
    }
  },
  ...kinds.map((kind): Law => ({
    name: `lists ${kind} page by page, and as a whole`,
    check: async ({ client }) => {
      const found: Array<unknown> = []
      let cursor: string | undefined
      do {
        const page = await client.page(kind, cursor)
        const expected = names[kind].slice(found.length, found.length + pageSize)
        assert.deepEqual(namesOf(page.items), expected)
        found.push(...expected)
        cursor = page.nextCursor
      } while (cursor !== undefined)
      assert.deepEqual(found, [...names[kind]])
      assert.deepEqual(namesOf(await client.all(kind)), names[kind])
      assert.strictEqual((await refusal(client.page(kind, "no-such-cursor")))["code"], -32602)
    }
  })),
  {
    name: "reads texts, bytes and resources of a template",
    check: async ({ client }) => {
      const [text] = Object((await client.read("full://greeting"))["contents"])
      assert.deepInclude(text, { uri: "full://greeting", mimeType: "text/plain", text: "This is the greeting." })
      const [bytes] = Object((await client.read("full://pixel"))["contents"])
      assert.strictEqual(bytes.mimeType, "image/png")
      assert.strictEqual(Buffer.from(bytes.blob, "base64").subarray(1, 4).toString(), "PNG")
      const [city] = Object((await client.read("full://city/france/Paris"))["contents"])
      assert.deepEqual(JSON.parse(city.text), { country: "france", city: "Paris" })
    }
  },
  {
    name: "is told what cannot be read, in the words of its revision",
    check: async ({ client, isModern }) => {
      for (const uri of ["full://nothing", "full://city/france/Berlin"]) {
        const error = await refusal(client.read(uri))
        assert.strictEqual(lastCode(client), isModern ? -32602 : -32002)
        assert.deepInclude(error["data"], { uri })
      }
    }
  },
  {
    name: "gets prompts with and without optional arguments",
    check: async ({ client }) => {
      const told = await client.prompt("greeting_of_person", { name: "Ada", tone: "cold" })
      assert.deepEqual(told["messages"], [
        { role: "user", content: { type: "text", text: "Greet Ada" } },
        { role: "assistant", content: { type: "text", text: "In a cold tone" } }
      ])
      const usual = await client.prompt("greeting_of_person", { name: "Ada" })
      assert.include(JSON.stringify(usual["messages"]), "In a warm tone")
      const [prompt] = await client.all("prompts")
      assert.deepEqual(
        Object(prompt).arguments.map((argument: { name: string; required?: boolean }) => [
          argument.name,
          argument.required === true
        ]),
        [["name", true], ["tone", false]]
      )
    }
  },
  {
    name: "is refused a prompt with a missing or wrong argument, and an unknown one",
    check: async ({ client }) => {
      assert.strictEqual((await refusal(client.prompt("greeting_of_person")))["code"], -32602)
      const wrong = client.prompt("greeting_of_person", { name: "Ada", tone: "loud" })
      assert.strictEqual((await refusal(wrong))["code"], -32602)
      assert.strictEqual((await refusal(client.prompt("no_such_prompt")))["code"], -32602)
    }
  },
  {
    name: "is helped to complete arguments and variables",
    check: async ({ client }) => {
      const tone = await client.complete({
        ref: { type: "ref/prompt", name: "greeting_of_person" },
        argument: { name: "tone", value: "wa" }
      })
      assert.deepEqual(Object(tone["completion"]).values, ["warm", "wary"])
      const ref = { type: "ref/resource", uri: "full://city/{country}/{city}" } as const
      const country = await client.complete({ ref, argument: { name: "country", value: "g" } })
      assert.deepEqual(Object(country["completion"]).values, ["germany"])
      const city = await client.complete({
        ref,
        argument: { name: "city", value: "P" },
        context: { arguments: { country: "france" } }
      })
      assert.deepEqual(Object(city["completion"]).values, ["Paris", "Pau"])
      const unknown = client.complete({
        ref: { type: "ref/prompt", name: "no_such_prompt" },
        argument: { name: "tone", value: "" }
      })
      assert.strictEqual((await refusal(unknown))["code"], -32602)
    }
  }
]
