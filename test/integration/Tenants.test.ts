import { assert, describe, it } from "@effect/vitest"
import * as ApiKeys from "causeway-mcp/auth/ApiKeys"
import * as Changes from "causeway-mcp/change/Changes"
import * as DocumentStore from "causeway-mcp/document/DocumentStore"
import * as Retriever from "causeway-mcp/document/Retriever"
import * as Embedder from "causeway-mcp/embedding/Embedder"
import * as ExtractiveLlm from "causeway-mcp/provider/ExtractiveLlm"
import * as DocumentResource from "causeway-mcp/resource/DocumentResource"
import * as McpServer from "causeway-mcp/server/McpServer"
import * as SessionStore from "causeway-mcp/session/SessionStore"
import * as TaskStore from "causeway-mcp/task/TaskStore"
import * as Answer from "causeway-mcp/toolbox/Answer"
import * as IndexDocument from "causeway-mcp/toolbox/IndexDocument"
import * as PreferenceProfile from "causeway-mcp/toolbox/PreferenceProfile"
import * as RecordEvent from "causeway-mcp/toolbox/RecordEvent"
import * as SemanticSearch from "causeway-mcp/toolbox/SemanticSearch"
import * as StructuredOutput from "causeway-mcp/toolbox/StructuredOutput"
import * as SummarizeBatch from "causeway-mcp/toolbox/SummarizeBatch"
import * as Toolkit from "causeway-mcp/toolkit/Toolkit"
import * as HttpTransport from "causeway-mcp/transport/HttpTransport"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import { createHash } from "node:crypto"
import * as AuthHttp from "./authHttp.js"
import * as RawHttp from "./RawHttp.js"

const tenants = ["acme", "globex"] as const
type Tenant = typeof tenants[number]
const otherOf = (tenant: Tenant): Tenant => (tenant === "acme" ? "globex" : "acme")

/** A word that stands in everything of one tenant, and in nothing else. */
const secrets = { acme: "zibelline", globex: "quokkatron" } as const

const keys = ApiKeys.layer(tenants.map((tenant) => ({
  hash: createHash("sha256").update(`cw_${tenant}`).digest("hex"),
  id: `agent-${tenant}`,
  tenant,
  scopes: ["documents:write"]
})))

const tools = Toolkit.make(
  Answer.make(),
  SemanticSearch.make(),
  PreferenceProfile.make(),
  StructuredOutput.make(),
  SummarizeBatch.make(),
  RecordEvent.make(),
  IndexDocument.make()
)

const Stores = Retriever.layer().pipe(
  Layer.provideMerge(Layer.mergeAll(DocumentStore.layerMemory, SessionStore.layerMemory, ExtractiveLlm.layer)),
  Layer.provideMerge(Embedder.layerHash)
)
const Server = McpServer.layerOf({ tools, resources: [DocumentResource.make()] }, { name: "market", version: "0" })
  .pipe(
    Layer.provideMerge(DocumentResource.announce.pipe(Layer.provideMerge(Changes.layerMemory))),
    Layer.provide(TaskStore.layerMemory),
    Layer.provide(Stores)
  )

const start = Effect.gen(function*() {
  const context = yield* Layer.build(Layer.merge(Server, keys))
  const { port, url } = yield* HttpTransport.make({ port: 0 }).pipe(
    Effect.provide(context),
    Effect.provide(Logger.remove(Logger.defaultLogger))
  )
  const ask = (tenant: Tenant, method: string, params: object) =>
    Effect.promise(async () => {
      const response = await fetch(url, {
        method: "POST",
        headers: {
          "content-type": "application/json",
          "mcp-protocol-version": "2025-11-25",
          ...AuthHttp.bearer(`cw_${tenant}`)
        },
        body: JSON.stringify({ jsonrpc: "2.0", id: 1, method, params })
      })
      const text = await response.text()
      return { status: response.status, text, body: Object(JSON.parse(text)) }
    })
  const call = (tenant: Tenant, name: string, args: object) =>
    Effect.map(ask(tenant, "tools/call", { name, arguments: args }), ({ body, status, text }) => {
      assert.strictEqual(status, 200, text)
      return { text, isError: body.result.isError === true, data: Object(body.result.structuredContent).data }
    })
  return { port, ask, call }
})

/** Both tenants write under the same ids; what they write says whose it is. */
const filled = Effect.gen(function*() {
  const server = yield* start
  for (const tenant of tenants) {
    const word = secrets[tenant]
    for (const id of ["report", `only-${tenant}`]) {
      const indexed = yield* server.call(tenant, "index_document", {
        id,
        title: `Outlook of ${word}`,
        text: `The margin of ${word} rose to 41 percent in the third quarter. The outlook of ${word} is good.`,
        publishedAt: "2026-11-01T00:00:00Z",
        metadata: { company: word }
      })
      assert.deepStrictEqual([indexed.isError, indexed.data.outcome], [false, "indexed"], indexed.text)
    }
    for (const eventId of ["e1", "e2"]) {
      const recorded = yield* server.call(tenant, "record_session_event", {
        userId: "user-7",
        eventId,
        type: "question",
        text: `Asked about ${word} as a table`
      })
      assert.isFalse(recorded.isError, recorded.text)
    }
  }
  return server
})

const asked: ReadonlyArray<readonly [string, string, (tenant: Tenant) => object]> = [
  ["a search", "search_relevant_market_intel", () => ({ query: "margin in the third quarter", limit: 20 })],
  ["a profile of a user who has the same id with both", "fetch_user_preference_profile", () => ({ userId: "user-7" })],
  ["an answer", "answer_market_question", () => ({ question: "How did the margin develop?", userId: "user-7" })],
  ["a summary of a document that has the same id with both", "summarize_document_batch", () => ({
    documentIds: ["report"]
  })],
  ["a summary of all there is", "summarize_document_batch", () => ({ filters: { since: "2026-01-01" } })],
  ["an object of a text", "generate_structured_output", (tenant) => ({
    instruction: "Extract the company (string)",
    text: `company: ${secrets[tenant]}`
  })]
]

describe("two tenants on one server", () => {
  for (const tenant of tenants) {
    for (const [what, name, args] of asked) {
      it.scopedLive(`gives ${tenant} ${what} out of what is its own`, () =>
        Effect.gen(function*() {
          const { call } = yield* filled
          // The other asks first, so that whatever is kept is kept for the wrong one.
          yield* call(otherOf(tenant), name, args(otherOf(tenant)))
          const { isError, text } = yield* call(tenant, name, args(tenant))
          assert.isFalse(isError, text)
          assert.include(text, secrets[tenant])
          assert.notInclude(text, secrets[otherOf(tenant)])
        }))
    }

    it.scopedLive(`finds for ${tenant} nothing by the other's words, filters and ids`, () =>
      Effect.gen(function*() {
        const { call } = yield* filled
        const word = secrets[otherOf(tenant)]
        const id = `only-${otherOf(tenant)}`
        const answers = [
          yield* call(tenant, "search_relevant_market_intel", { query: `margin of ${word}`, limit: 20 }),
          yield* call(tenant, "search_relevant_market_intel", { query: "margin", filters: { company: word } }),
          yield* call(tenant, "summarize_document_batch", { documentIds: [id] })
        ]
        for (const { text } of answers) {
          // The question itself may be told back.
          assert.notInclude(text, `Outlook of ${word}`)
          assert.notInclude(text, "41 percent in the third quarter. The outlook of " + word)
        }
        const never = yield* call(tenant, "summarize_document_batch", { documentIds: ["never-was"] })
        assert.strictEqual(answers[2]?.text.replaceAll(id, "never-was"), never.text)
      }))

    it.scopedLive(`lists and reads for ${tenant} its own documents, and those of the other are not there`, () =>
      Effect.gen(function*() {
        const { ask } = yield* filled
        const other = otherOf(tenant)
        const { body } = yield* ask(tenant, "resources/list", {})
        assert.sameMembers(
          body.result.resources.map(({ uri }: { readonly uri: string }) => uri),
          ["report", `only-${tenant}`].map((id) => DocumentResource.uri(tenant, id))
        )
        const own = yield* ask(tenant, "resources/read", { uri: DocumentResource.uri(tenant, "report") })
        assert.include(own.text, secrets[tenant])
        const foreign = yield* ask(tenant, "resources/read", { uri: DocumentResource.uri(other, `only-${other}`) })
        const unknown = yield* ask(tenant, "resources/read", { uri: DocumentResource.uri(other, "never-was") })
        assert.deepStrictEqual([foreign.status, foreign.body.error.code], [200, -32002])
        assert.strictEqual(foreign.text.replaceAll(`only-${other}`, "never-was"), unknown.text)
      }))
  }

  it.scopedLive("says nothing to one of changes of the other's documents", () =>
    Effect.gen(function*() {
      const { call, port } = yield* filled
      const uris = tenants.map((tenant) => DocumentResource.uri(tenant, "report"))
      const body = JSON.stringify({
        jsonrpc: "2.0",
        id: 1,
        method: "subscriptions/listen",
        params: {
          notifications: { resourceSubscriptions: uris },
          _meta: {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": {}
          }
        }
      })
      const raw = yield* RawHttp.open(port)
      raw.write(
        "POST /mcp HTTP/1.1\r\nhost: localhost\r\naccept: text/event-stream\r\ncontent-type: application/json\r\n" +
          "authorization: Bearer cw_globex\r\nmcp-protocol-version: 2026-07-28\r\nmcp-method: subscriptions/listen\r\n" +
          `content-length: ${body.length}\r\n\r\n${body}`
      )
      assert.notInclude(yield* raw.until(/acknowledged[^\n]*\n\n/), "document://acme")
      for (const tenant of tenants) {
        yield* call(tenant, "index_document", { id: "report", text: `Nothing of ${secrets[tenant]} is as it was.` })
      }
      assert.notInclude(yield* raw.until(/resources\/updated[^\n]*document:\/\/globex/), "document://acme")
    }))

  it.scopedLive("lets neither write to the other: an index of one leaves the other's as it was", () =>
    Effect.gen(function*() {
      const { ask, call } = yield* filled
      yield* call("acme", "index_document", { id: "report", text: "Overwritten." })
      const { text } = yield* ask("globex", "resources/read", { uri: DocumentResource.uri("globex", "report") })
      assert.include(text, secrets.globex)
      const outdated = yield* call("globex", "index_document", { id: "only-acme", text: "Mine.", version: 1 })
      assert.strictEqual(outdated.data.outcome, "indexed")
    }))
})
