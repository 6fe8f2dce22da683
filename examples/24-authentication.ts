/**
 * Who may call over HTTP: API keys of which the server knows only hashes, scopes
 * that hide tools from whoever may not use them, and an authenticator of one's own.
 */
import * as ApiKeys from "causeway-mcp/auth/ApiKeys"
import * as Authenticator from "causeway-mcp/auth/Authenticator"
import * as Principal from "causeway-mcp/auth/Principal"
import * as McpServer from "causeway-mcp/server/McpServer"
import * as Evidence from "causeway-mcp/tool/Evidence"
import * as Tool from "causeway-mcp/tool/Tool"
import * as ToolCall from "causeway-mcp/tool/ToolCall"
import * as Toolkit from "causeway-mcp/toolkit/Toolkit"
import * as HttpTransport from "causeway-mcp/transport/HttpTransport"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import assert from "node:assert/strict"
import { main } from "./program.js"

// #region tools
const ListNotes = Tool.make("list_notes", {
  description: "Lists the titles of the notes of the caller's company",
  success: Schema.Struct({ company: Schema.String }),
  safety: "readOnly"
}).implement(() => Effect.flatMap(ToolCall.caller, ({ tenant }) => Evidence.computed("notes", { company: tenant })))

const EraseNotes = Tool.make("erase_notes", {
  description: "Erases every note of the caller's company",
  success: Schema.Struct({ by: Schema.String }),
  safety: "effectful",
  scopes: ["notes:erase"]
}).implement(() => Effect.flatMap(ToolCall.caller, ({ id }) => Evidence.computed("erasure", { by: id })))
// #endregion tools

const Server = McpServer.layerTools(Toolkit.make(ListNotes, EraseNotes), { name: "notes", version: "1.0.0" })

interface Asked {
  readonly status: number
  readonly challenge: string | null
  readonly result: { readonly tools?: ReadonlyArray<{ readonly name: string }>; readonly structuredContent?: unknown }
}

interface Headers {
  readonly [name: string]: string
}

const ask = (url: string, credential: Headers, method: string, params: object = {}) =>
  Effect.promise(async (): Promise<Asked> => {
    const response = await fetch(url, {
      method: "POST",
      headers: { "content-type": "application/json", "mcp-protocol-version": "2025-11-25", ...credential },
      body: JSON.stringify({ jsonrpc: "2.0", id: 1, method, params })
    })
    const { result = {} } = Object(await response.json())
    return { status: response.status, challenge: response.headers.get("www-authenticate"), result }
  })

const bearer = (key: string): Headers => ({ authorization: `Bearer ${key}` })

const erase = { name: "erase_notes", arguments: {} }

const withKeys = Effect.gen(function*() {
  // #region keys
  const ada = yield* ApiKeys.generate // printed once, for Ada; only the hash is kept
  const bob = yield* ApiKeys.generate

  const Keys = ApiKeys.layer([
    { id: "ada", tenant: "acme", hash: ada.hash, scopes: ["notes:erase"] },
    { id: "bob", tenant: "globex", hash: bob.hash, scopes: [], expiresAt: "2100-01-01" }
  ])

  const { url } = yield* HttpTransport.make({ port: 0 }).pipe(Effect.provide(Layer.merge(Server, Keys)))
  // #endregion keys

  const nobody = yield* ask(url, {}, "tools/list")
  assert.deepEqual([nobody.status, nobody.challenge], [401, "Bearer realm=\"mcp\""])
  assert.equal((yield* ask(url, bearer("cw_guessed"), "tools/list")).status, 401)

  const toolsOf = (key: string) =>
    Effect.map(ask(url, bearer(key), "tools/list"), ({ result }) => result.tools?.map(({ name }) => name))
  assert.deepEqual(yield* toolsOf(ada.key), ["list_notes", "erase_notes"])
  assert.deepEqual(yield* toolsOf(bob.key), ["list_notes"])

  const refused = yield* ask(url, bearer(bob.key), "tools/call", erase)
  assert.equal(refused.status, 403)
  assert.match(refused.challenge ?? "", /error="insufficient_scope".*scope="notes:erase"/)

  const erased = yield* ask(url, bearer(ada.key), "tools/call", erase)
  assert.deepEqual(Object(erased.result.structuredContent).data, { by: "ada" })
})

// #region own
/** Believes a proxy in front, which has authenticated the caller and writes who it is. */
const Proxied = Authenticator.layer(({ header }) => {
  const id = header("x-authenticated-user")
  const tenant = header("x-authenticated-company")
  return id === undefined ? Exit.fail(new Authenticator.Missing()) : Exit.succeed(Principal.make({ id, tenant }))
})
// #endregion own

const withOwn = Effect.gen(function*() {
  const { url } = yield* HttpTransport.make({ port: 0 }).pipe(Effect.provide(Layer.merge(Server, Proxied)))
  assert.equal((yield* ask(url, {}, "tools/list")).status, 401)
  const proxied = { "x-authenticated-user": "eve", "x-authenticated-company": "initech" }
  const { result } = yield* ask(url, proxied, "tools/call", { name: "list_notes", arguments: {} })
  assert.deepEqual(Object(result.structuredContent).data, { company: "initech" })
})

main(
  Effect.scoped(Effect.gen(function*() {
    yield* withKeys
    yield* withOwn
    console.log("without a key 401; without the scope 403, and the tool is not in the list; with it, erased by ada")
  }))
)
