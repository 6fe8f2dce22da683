import { assert, layer } from "@effect/vitest"
import * as FakeProvider from "causeway-mcp/testing/FakeProvider"
import * as ProviderFaults from "causeway-mcp/testing/ProviderFaults"
import * as Effect from "effect/Effect"

const post = (model: string, more: object) =>
  Effect.flatMap(FakeProvider.FakeProvider, ({ baseUrl }) =>
    Effect.promise(async () => {
      const response = await fetch(`${baseUrl}/embeddings`, {
        method: "POST",
        body: JSON.stringify({ model, ...more })
      })
      return { status: response.status, body: JSON.parse(await response.text()) }
    }))

layer(FakeProvider.layer, { excludeTestServices: true })("FakeProvider and vectors", (it) => {
  it.effect("gives the vectors of the texts it is asked for, as long as the request or the script says", () =>
    Effect.gen(function*() {
      const server = yield* FakeProvider.FakeProvider
      yield* server.script("v", FakeProvider.vectors({ dimensions: 40 }))
      const { body } = yield* post("v", { input: ["a", "b"] })
      assert.deepStrictEqual(body.data, [
        { object: "embedding", index: 0, embedding: FakeProvider.vectorOf("a", 40) },
        { object: "embedding", index: 1, embedding: FakeProvider.vectorOf("b", 40) }
      ])
      assert.strictEqual(body.model, "v")
      assert.strictEqual((yield* post("v", { input: "a", dimensions: 3 })).body.data[0].embedding.length, 3)
      assert.strictEqual((yield* server.requests)[0]?.wire, "embeddings")
    }))

  it.effect("gives vectors where a script has a text, and has no model that nobody scripted", () =>
    Effect.gen(function*() {
      const server = yield* FakeProvider.FakeProvider
      yield* server.script("t", FakeProvider.text("words"))
      const { body } = yield* post("t", { input: ["a"] })
      assert.deepStrictEqual(body.data[0].embedding, FakeProvider.vectorOf("a"))
      assert.strictEqual((yield* post("nobody", { input: ["a"] })).status, 404)
      assert.strictEqual((yield* post(ProviderFaults.model("nobody"), { input: ["a"] })).status, 404)
    }))

  it.effect("plays a fault by its name from its beginning, and afterwards what follows it", () =>
    Effect.gen(function*() {
      const twice = yield* post(ProviderFaults.model("vectors-index-twice"), { input: ["a", "b"] })
      assert.deepStrictEqual(twice.body.data.map(({ index }: { readonly index: unknown }) => index), [1, 1])
      assert.strictEqual((yield* post(ProviderFaults.model("500"), { input: ["a"] })).status, 500)
      assert.isUndefined(ProviderFaults.replies("choices-empty", "embeddings"))
      assert.isUndefined(ProviderFaults.replies("vectors-zero", "chat"))
      for (const [name, fault] of Object.entries(ProviderFaults.vectorFaults)) {
        assert.match(name, /^[a-z0-9]+(?:[-.][a-z0-9]+)*$/u)
        assert.isNotEmpty(ProviderFaults.replies(name, "embeddings"), name)
        assert.match(fault.about, /^[^A-Z].*[^.]$/u)
      }
    }))

  it("gives different texts different vectors, and the same text the same", () => {
    const made = ["", "a", "b", "ab", "\u{1f600}"].map((text) => FakeProvider.vectorOf(text, 100))
    assert.strictEqual(new Set(made.map((numbers) => JSON.stringify(numbers))).size, 5)
    assert.deepStrictEqual(FakeProvider.vectorOf("a", 100), made[1])
    assert.isTrue(made.every((numbers) => numbers.length === 100 && numbers.every((number) => Math.abs(number) <= 1)))
  })
})
