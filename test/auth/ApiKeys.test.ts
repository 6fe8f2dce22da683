import { assert, describe, it } from "@effect/vitest"
import * as ApiKeys from "causeway-mcp/auth/ApiKeys"
import type * as Authenticator from "causeway-mcp/auth/Authenticator"
import { Authenticator as Tag } from "causeway-mcp/auth/Authenticator"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/TestClock"
import { createHash } from "node:crypto"

const hashOf = (key: string): string => createHash("sha256").update(key).digest("hex")

const ada: ApiKeys.ApiKey = { hash: hashOf("cw_ada"), id: "ada", tenant: "acme", scopes: ["notes:read"] }
const bob: ApiKeys.ApiKey = {
  hash: hashOf("cw_bob"),
  id: "bob",
  scopes: [],
  expiresAt: "1970-01-02T00:00:00Z",
  limits: [{ limit: 5, windowSeconds: 60, burst: 2 }]
}

const showing = (headers: { readonly [name: string]: string }): Authenticator.Presented => ({
  authorization: headers["authorization"],
  header: (name) => headers[name],
  peer: "192.0.2.1"
})

const bearer = (key: string) => showing({ authorization: `Bearer ${key}` })

const verdictOf = (headers: Authenticator.Presented, keys: ReadonlyArray<ApiKeys.ApiKey> = [ada, bob]) =>
  Effect.flatMap(ApiKeys.make(keys), ({ authenticate }) => Effect.exit(authenticate(headers)))

const problemsOf = (keys: ReadonlyArray<unknown>) =>
  // As a program in JavaScript could.
  Effect.map(Effect.flip(ApiKeys.make(keys as ReadonlyArray<ApiKeys.ApiKey>)), ({ problems }) => problems)

describe("ApiKeys.make", () => {
  it.effect("knows the caller of a key, with its tenant and its scopes", () =>
    Effect.gen(function*() {
      const exit = yield* verdictOf(bearer("cw_ada"))
      assert.deepStrictEqual(exit, Exit.succeed({ id: "ada", tenant: "acme", scopes: new Set(["notes:read"]) }))
    }))

  it.effect("gives a caller the default tenant, its limits and the end of its key", () =>
    Effect.gen(function*() {
      const exit = yield* verdictOf(bearer("cw_bob"))
      assert.deepStrictEqual(
        exit,
        Exit.succeed({
          id: "bob",
          tenant: "default",
          scopes: new Set<string>(),
          limits: [{ limit: 5, windowSeconds: 60, burst: 2 }],
          expiresAt: 86_400_000
        })
      )
    }))

  it.effect("gives the same Exit each time, so that a request costs no more", () =>
    Effect.gen(function*() {
      const { authenticate } = yield* ApiKeys.make([ada])
      assert.isTrue(Exit.isExit(authenticate(bearer("cw_ada"))))
      assert.strictEqual(authenticate(bearer("cw_ada")), authenticate(bearer("cw_ada")))
    }))

  for (
    const headers of [
      { authorization: "Bearer cw_ada" },
      { authorization: "bearer cw_ada" },
      { authorization: "BEARER   cw_ada " },
      { "x-api-key": "cw_ada" },
      { authorization: "Basic YTpi", "x-api-key": "cw_ada" }
    ]
  ) {
    it.effect(`takes ${JSON.stringify(headers)}`, () =>
      Effect.gen(function*() {
        assert.isTrue(Exit.isSuccess(yield* verdictOf(showing(headers))))
      }))
  }

  for (
    const headers of [{}, { authorization: "" }, { authorization: "Bearer " }, { authorization: "Basic cw_ada" }, {
      "x-api-key": ""
    }]
  ) {
    it.effect(`finds nothing in ${JSON.stringify(headers)}`, () =>
      Effect.gen(function*() {
        const { _tag } = yield* Effect.flip(Effect.flatten(verdictOf(showing(headers))))
        assert.strictEqual(_tag, "Missing")
      }))
  }

  it.effect("refuses a wrong, a cut, an overlong, a hashed and an expired key in the same words", () =>
    Effect.gen(function*() {
      yield* TestClock.adjust("1 day")
      const keys = ["cw_eve", "cw_ad", "cw_adaa", "x".repeat(100_000), ada.hash, "cw_bob", "é"]
      const said = yield* Effect.forEach(keys, (key) => Effect.flip(Effect.flatten(verdictOf(bearer(key)))))
      assert.deepStrictEqual(new Set(said.map((refusal) => `${refusal._tag}: ${refusal.message}`)).size, 1)
      assert.strictEqual(said[0]?._tag, "Invalid")
    }))

  it.effect("lets a key do until the moment it expires", () =>
    Effect.gen(function*() {
      yield* TestClock.adjust(86_399_999)
      assert.isTrue(Exit.isSuccess(yield* verdictOf(bearer("cw_bob"))))
    }))

  it.effect("tells apart keys whose hashes begin alike", () =>
    Effect.gen(function*() {
      const twin = { ...ada, id: "twin", hash: ada.hash.slice(0, 8) + "0".repeat(56) }
      const exit = yield* verdictOf(bearer("cw_ada"), [twin, ada])
      assert.strictEqual(Exit.isSuccess(exit) ? exit.value.id : undefined, "ada")
    }))

  const unusable: ReadonlyArray<readonly [string, ReadonlyArray<unknown>, RegExp]> = [
    ["a hash that stands twice", [ada, { ...ada, id: "other" }], /two keys have the same hash/],
    ["an id that stands twice", [ada, { ...bob, id: "ada" }], /two keys have the id "ada"/],
    ["a hash that is none", [ada, { ...bob, hash: "cw_bob" }], /key 2: hash does not do/],
    ["an empty id", [{ ...ada, id: "" }], /key 1: id does not do/],
    ["an end that is no moment", [{ ...ada, expiresAt: "tomorrow" }], /key 1: expiresAt/],
    ["an end on a day that is not", [{ ...ada, expiresAt: "2027-02-30" }], /key 1: expiresAt/],
    ["an end without a zone", [{ ...ada, expiresAt: "2027-01-01T00:00:00" }], /key 1: expiresAt/],
    ["a field that nobody knows", [{ ...ada, scope: "x" }], /key 1: scope does not do/],
    ["a limit of nothing", [{ ...ada, limits: [{ limit: 0, windowSeconds: 1 }] }], /key 1: limits does not do/],
    ["what is no key", ["cw_ada"], /key 1: is no key/]
  ]
  for (const [what, keys, expected] of unusable) {
    it.effect(`names ${what}, and never a hash or a key`, () =>
      Effect.gen(function*() {
        const problems = (yield* problemsOf(keys)).join("; ")
        assert.match(problems, expected)
        assert.notInclude(problems, ada.hash)
        assert.notInclude(problems, "cw_")
      }))
  }
})

describe("ApiKeys.generate", () => {
  it.effect("makes a key of 32 random bytes and its hash, never the same twice", () =>
    Effect.gen(function*() {
      const made = yield* Effect.all(Array.from({ length: 100 }, () => ApiKeys.generate))
      for (const { hash, key } of made) {
        assert.match(key, /^cw_[A-Za-z0-9_-]{43}$/)
        assert.strictEqual(hash, hashOf(key))
      }
      assert.strictEqual(new Set(made.map(({ key }) => key)).size, 100)
    }))
})

const configured = (settings: { readonly [name: string]: string }) =>
  Effect.withConfigProvider(ConfigProvider.fromMap(new Map(Object.entries(settings))))

describe("ApiKeys.layerConfig", () => {
  const build = (settings: { readonly [name: string]: string }) =>
    Effect.map(Layer.build(ApiKeys.layerConfig), (context) => Context.get(context, Tag)).pipe(configured(settings))

  it.scoped("reads keys from API_KEYS", () =>
    Effect.gen(function*() {
      const { authenticate } = yield* build({ API_KEYS: JSON.stringify([ada]) })
      assert.strictEqual((yield* authenticate(bearer("cw_ada"))).id, "ada")
    }))

  const wrong: ReadonlyArray<readonly [string, { readonly [name: string]: string }, RegExp]> = [
    ["nothing is set", {}, /set API_KEYS or API_KEYS_FILE/],
    ["both are set", { API_KEYS: "[]", API_KEYS_FILE: "keys.json" }, /not both/],
    ["they are not JSON", { API_KEYS: "cw_secret" }, /not JSON/],
    ["they are no list", { API_KEYS: "{}" }, /not a list/],
    ["one of them is no key", { API_KEYS: "[{\"hash\":\"cw_secret\"}]" }, /key 1: hash does not do/],
    ["the file is not there", { API_KEYS_FILE: "test/auth/absent.json" }, /cannot be read/]
  ]
  for (const [what, settings, expected] of wrong) {
    it.scoped(`fails when ${what}, and repeats nothing of it`, () =>
      Effect.gen(function*() {
        const error = yield* Effect.flip(build(settings))
        assert.match("message" in error ? String(error.message) : "", expected)
        assert.notInclude(String(error), "cw_secret")
      }))
  }

  it.effect("is configured by a variable that is not empty", () =>
    Effect.gen(function*() {
      const is = (settings: { readonly [name: string]: string }) => ApiKeys.isConfigured.pipe(configured(settings))
      assert.isTrue(yield* is({ API_KEYS: "[]" }))
      assert.isTrue(yield* is({ API_KEYS_FILE: "x" }))
      assert.isFalse(yield* is({ API_KEYS: " " }))
      assert.isFalse(yield* is({}))
    }))
})
