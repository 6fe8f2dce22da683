/**
 * Laws of what a server asks its client: on 2026-07-28 in results that are not
 * complete, on the handshake revisions in requests of its own.
 */
import { assert } from "@effect/vitest"
import type { Law } from "../Law.js"
import { failureOf, refusal, saw, textOf, until } from "../Law.js"
import type { Json, Message, Official } from "../official.js"

const accept = (content: Json): Json => ({ action: "accept", content })

/** What the client was asked while something ran. */
const askedIn = async <A>(client: Official, run: () => Promise<A>): Promise<readonly [A, ReadonlyArray<Message>]> => {
  const before = client.asked.length
  const result = await run()
  return [result, client.asked.slice(before)]
}

const sampled: Json = {
  role: "assistant",
  model: "tiny",
  content: { type: "text", text: "Paris" },
  stopReason: "endTurn"
}

const folders: Json = { roots: [{ uri: "file:///projects/one", name: "one" }, { uri: "file:///projects/two" }] }

export const laws: ReadonlyArray<Law> = [
  {
    name: "fills in a form, and the handler goes on from there",
    check: async (subject) => {
      const { client, own } = subject
      const key = own("form")
      client.answerWith(() => accept({ name: "Ada", age: 36, colour: "red" }))
      const [result, asked] = await askedIn(client, () => client.call("person_by_form", { key }))
      assert.strictEqual(textOf(result), "Ada, 36, red")
      await saw(subject, key, ["prepared", `answered {"name":"Ada","age":36,"colour":"red"}`])
      assert.strictEqual(asked.length, 1)
      const params = Object(asked[0]?.params)
      assert.strictEqual(params.message, "Who are you?")
      assert.deepInclude(params.requestedSchema.properties.age, { type: "integer", minimum: 18, maximum: 120 })
      assert.deepEqual(params.requestedSchema.properties.colour.enum, ["red", "green"])
      assert.strictEqual(params.requestedSchema.properties.letters.type, "boolean")
      assert.sameMembers(params.requestedSchema.required, ["name", "age", "colour"])
    }
  },
  {
    name: "is asked again when an answer does not fit",
    check: async (subject) => {
      const { client, own } = subject
      const key = own("misfit")
      const ages = [3, 37]
      client.answerWith(() => accept({ name: "Ada", age: ages.shift(), colour: "green" }))
      const [result, asked] = await askedIn(client, () => client.call("person_by_form", { key }))
      assert.strictEqual(textOf(result), "Ada, 37, green")
      assert.strictEqual(asked.length, 2)
      assert.match(String(asked[1]?.params["message"]), /^The last answer did not fit: .*age.* Who are you\?$/u)
      await saw(subject, key, ["prepared", `answered {"name":"Ada","age":37,"colour":"green"}`])
    }
  },
  ...([["decline", "declined"], ["cancel", "cancelled"]] as const).map(([action, code]): Law => ({
    name: `may ${action} a form and a link`,
    check: async (subject) => {
      const { client, own } = subject
      client.answerWith(() => ({ action }))
      for (const [tool, left] of [["person_by_form", ["prepared"]], ["consent_to_link", []]] as const) {
        const key = own(`${action} ${tool}`)
        const result = await client.call(tool, { key })
        assert.isTrue(result["isError"])
        assert.strictEqual(failureOf(result), code)
        await saw(subject, key, left)
      }
    }
  })),
  {
    name: "consents to open a link",
    check: async (subject) => {
      const { client, isModern, own } = subject
      const key = own("link")
      client.answerWith(() => ({ action: "accept" }))
      const [result, asked] = await askedIn(client, () => client.call("consent_to_link", { key }))
      assert.strictEqual(textOf(result), "consented")
      await saw(subject, key, ["consented"])
      const params = Object(asked[0]?.params)
      assert.deepInclude(params, { mode: "url", message: "Please sign in", url: "https://example.com/sign-in" })
      assert.strictEqual(typeof params.elicitationId, isModern ? "undefined" : "string")
    }
  },
  {
    name: "samples its model",
    check: async (subject) => {
      const { client, own } = subject
      const key = own("sample")
      client.answerWith(() => sampled)
      const [result, asked] = await askedIn(client, () => client.call("words_of_the_model", { key }))
      assert.deepEqual(JSON.parse(textOf(result)), sampled["content"])
      await saw(subject, key, ["sampled tiny"])
      assert.strictEqual(asked[0]?.method, "sampling/createMessage")
      assert.deepInclude(asked[0]?.params, { systemPrompt: "Be short.", maxTokens: 100 })
    }
  },
  {
    name: "names its folders",
    check: async (subject) => {
      const { client, own } = subject
      const key = own("roots")
      client.answerWith(() => folders)
      const [result, asked] = await askedIn(client, () => client.call("roots_of_the_client", { key }))
      assert.strictEqual(textOf(result), "file:///projects/one file:///projects/two")
      await saw(subject, key, ["roots 2"])
      assert.strictEqual(asked[0]?.method, "roots/list")
    }
  },
  {
    name: "answers several questions at once",
    check: async (subject) => {
      const { client, own } = subject
      const key = own("several")
      client.answerWith((method) =>
        method === "roots/list" ? folders : method === "elicitation/create" ? accept({ name: "Ada" }) : sampled
      )
      const [result, asked] = await askedIn(client, () => client.call("answers_at_once", { key }))
      assert.strictEqual(textOf(result), "Ada tiny 2")
      await saw(subject, key, ["answered"])
      assert.sameMembers(asked.map(({ method }) => method), [
        "elicitation/create",
        "sampling/createMessage",
        "roots/list"
      ])
    }
  },
  {
    name: "answers one question after the other",
    check: async (subject) => {
      const { client, own } = subject
      const key = own("rounds")
      client.answerWith((_, { message }) =>
        accept(message === "What is your name?" ? { name: "Ada" } : { colour: "green" })
      )
      const [result, asked] = await askedIn(client, () => client.call("colour_after_name", { key }))
      assert.strictEqual(textOf(result), "Ada likes green")
      assert.deepEqual(asked.map(({ params }) => params["message"]), ["What is your name?", "Which colour, Ada?"])
      // The call is run again from its start for each answer.
      await saw(subject, key, ["name Ada", "name Ada"])
    }
  },
  {
    name: "keeps apart what several calls ask at the same time",
    check: async (subject) => {
      const { client, own } = subject
      const names = ["Ada", "Bo", "Cy", "Di", "Ed"]
      const left = [...names]
      client.answerWith(async (_, { message }) => {
        await new Promise((resolve) => setTimeout(resolve, 1))
        return accept(
          message === "What is your name?" ? { name: left.shift() } : {
            colour: /Ada|Cy/u.test(String(message)) ? "red" : "green"
          }
        )
      })
      const results = await Promise.all(names.map((name) => client.call("colour_after_name", { key: own(name) })))
      assert.sameMembers(results.map(textOf), [
        "Ada likes red",
        "Bo likes green",
        "Cy likes red",
        "Di likes green",
        "Ed likes green"
      ])
    }
  },
  {
    name: "cancels a call that waits for its user, whose question is withdrawn",
    check: async (subject) => {
      const { client, own } = subject
      const key = own("cancelled question")
      const asked: Array<AbortSignal> = []
      client.answerWith((_, __, signal) => {
        asked.push(signal)
        return new Promise((_, reject) => signal.addEventListener("abort", () => reject(new Error("never mind"))))
      })
      const controller = new AbortController()
      const call = refusal(client.call("person_by_form", { key }, { signal: controller.signal }))
      await until(() => asked.length === 1, "the question to be asked")
      controller.abort("changed my mind")
      await call
      await until(() => asked[0]?.aborted === true, "the question to be withdrawn")
      await saw(subject, key, ["prepared"])
    }
  },
  {
    name: "is asked by resources and prompts too",
    check: async ({ client }) => {
      client.answerWith(() => accept({ name: "Ada" }))
      const [contents, asked] = await askedIn(client, () => client.read("full://secret"))
      assert.include(JSON.stringify(contents), "For Ada alone.")
      assert.strictEqual(asked[0]?.params["message"], "Who reads this?")
      assert.include(JSON.stringify(await client.prompt("greeting_by_form")), "Greet Ada")
      client.answerWith(() => ({ action: "decline" }))
      for (const asking of [() => client.read("full://secret"), () => client.prompt("greeting_by_form")]) {
        assert.include(String((await refusal(asking()))["message"]), "The user declined to answer.")
      }
    }
  },
  {
    name: "is not asked what it cannot answer",
    where: ({ place }) => place !== "stdio",
    check: async (subject) => {
      const { connect, isModern, own } = subject
      const client = await connect({ capabilities: { roots: {} } })
      const key = own("cannot")
      for (
        const [tool, needed] of [
          ["person_by_form", { elicitation: { form: {} } }],
          ["consent_to_link", { elicitation: { url: {} } }],
          ["words_of_the_model", { sampling: {} }]
        ] as const
      ) {
        if (isModern) {
          const error = await refusal(client.call(tool, { key }))
          assert.strictEqual(error["code"], -32021)
          assert.deepEqual(error["data"], { requiredCapabilities: needed })
        } else {
          const result = await client.call(tool, { key })
          assert.isTrue(result["isError"])
        }
      }
      await saw(subject, key, ["prepared"])
      assert.deepEqual(client.asked, [])
    }
  }
]
