import { assert, describe, it } from "@effect/vitest"
import * as Authenticator from "causeway-mcp/auth/Authenticator"
import * as Principal from "causeway-mcp/auth/Principal"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as TestClock from "effect/TestClock"

const ada = Principal.make({ id: "ada" })
const bob = Principal.make({ id: "bob" })

const presented = (more: Partial<Authenticator.Presented> = {}): Authenticator.Presented => ({
  authorization: undefined,
  header: () => undefined,
  peer: "192.0.2.1",
  ...more
})

const invalid = (description: string) => Exit.fail(new Authenticator.Invalid({ description }))
const missing = Exit.fail(new Authenticator.Missing())
const unavailable = Exit.fail(new Authenticator.Unavailable({}))

const saying = (verdict: Effect.Effect<Principal.Principal, Authenticator.Refusal>, challenge = {}) =>
  Authenticator.make(() => verdict, challenge)

const later = <A, E>(exit: Exit.Exit<A, E>): Effect.Effect<A, E> => Effect.zipRight(Effect.yieldNow(), exit)

describe("Authenticator.orElse", () => {
  const cases: ReadonlyArray<
    readonly [
      string,
      ReadonlyArray<Exit.Exit<Principal.Principal, Authenticator.Refusal>>,
      string
    ]
  > = [
    ["the first that knows the caller", [Exit.succeed(ada), Exit.succeed(bob)], "ada"],
    ["the second where the first found nothing", [missing, Exit.succeed(bob)], "bob"],
    ["the second where the first found something wrong", [invalid("no"), Exit.succeed(bob)], "bob"],
    ["a wrong credential before none", [invalid("no"), missing], "no"],
    ["a wrong credential after none", [missing, invalid("no")], "no"],
    ["the first of two wrong ones", [invalid("one"), invalid("two")], "one"],
    ["one that cannot tell, and none after it", [missing, unavailable, Exit.succeed(ada)], "cannot be checked"],
    ["none of them", [missing, missing], "needs a credential"],
    ["nobody, of no authenticators", [], "needs a credential"]
  ]
  for (const [what, verdicts, expected] of cases) {
    for (const how of ["at once", "later"] as const) {
      it.effect(`answers with ${what}, ${how}`, () =>
        Effect.gen(function*() {
          const all = verdicts.map((verdict) => saying(how === "later" ? later(verdict) : verdict))
          const exit = yield* Effect.exit(Authenticator.orElse(...all).authenticate(presented()))
          const said = Exit.isSuccess(exit) ? exit.value.id : String(exit.cause)
          assert.include(said, expected)
        }))
    }
  }

  it("is an Exit when all that were asked are", () => {
    const both = Authenticator.orElse(saying(missing), saying(Exit.succeed(ada)))
    assert.isTrue(Exit.isExit(both.authenticate(presented())))
  })

  it("joins challenges and keeps the metadata that there is", () => {
    const metadata = { paths: ["/x"], json: "{}" }
    const both = Authenticator.orElse(
      saying(missing, { realm: "here" }),
      { ...saying(missing, { resourceMetadata: "https://a.example/x", scopes: ["s"] }), metadata }
    )
    assert.deepStrictEqual(both.challenge, { realm: "here", resourceMetadata: "https://a.example/x", scopes: ["s"] })
    assert.strictEqual(both.metadata, metadata)
  })
})

describe("Authenticator.withGuessLimit", () => {
  const asking = (
    verdict: (presented: Authenticator.Presented) => Effect.Effect<Principal.Principal, Authenticator.Refusal>
  ) =>
    Effect.gen(function*() {
      let asked = 0
      const limited = yield* Authenticator.withGuessLimit({ attempts: 3, window: "10 seconds" })(
        Authenticator.make((presented) => {
          asked += 1
          return verdict(presented)
        })
      )
      const tag = (peer: string | undefined) =>
        Effect.map(
          Effect.either(limited.authenticate(presented({ peer }))),
          (either) => either._tag === "Left" ? either.left._tag : "Right"
        )
      return { limited, tag, asked: () => asked }
    })

  for (const how of ["at once", "later"] as const) {
    it.effect(`refuses unasked what follows three wrong ones, and asks again after the window (${how})`, () =>
      Effect.gen(function*() {
        const wrong = invalid("no")
        const { asked, limited, tag } = yield* asking(() => how === "later" ? later(wrong) : wrong)
        for (const _ of [1, 2, 3]) assert.strictEqual(yield* tag("192.0.2.1"), "Invalid")
        assert.strictEqual(yield* tag("192.0.2.1"), "TooMany")
        assert.strictEqual(asked(), 3)
        yield* TestClock.adjust("4 seconds")
        const refusal = yield* Effect.flip(limited.authenticate(presented({ peer: "192.0.2.1" })))
        assert.deepInclude(refusal, { _tag: "TooMany", retryAfterMs: 6000 })
        assert.strictEqual(yield* tag("192.0.2.2"), "Invalid")
        yield* TestClock.adjust("6 seconds")
        assert.strictEqual(yield* tag("192.0.2.1"), "Invalid")
      }))
  }

  it.effect("counts neither good credentials, nor missing ones, nor those that cannot be checked", () =>
    Effect.gen(function*() {
      for (const verdict of [Exit.succeed(ada), missing, unavailable]) {
        const { asked, tag } = yield* asking(() => verdict)
        for (let turn = 0; turn < 10; turn++) yield* tag("192.0.2.1")
        assert.strictEqual(asked(), 10)
      }
    }))

  it.effect("counts IPv6 by /64, and IPv4 in IPv6 clothes as itself", () =>
    Effect.gen(function*() {
      const { tag } = yield* asking(() => invalid("no"))
      for (const end of ["::1", "::2", ":1:2:3:4"]) assert.strictEqual(yield* tag(`2001:db8:1:2${end}`), "Invalid")
      assert.strictEqual(yield* tag("2001:0DB8:0001:0002::ffff"), "TooMany")
      assert.strictEqual(yield* tag("2001:db8:1:3::1"), "Invalid")
      for (const address of ["192.0.2.9", "::ffff:192.0.2.9", "192.0.2.9"]) yield* tag(address)
      assert.strictEqual(yield* tag("::FFFF:192.0.2.9"), "TooMany")
      assert.strictEqual(yield* tag("::ffff:192.0.2.10"), "Invalid")
    }))

  it.effect("counts nothing of a request whose address is not known", () =>
    Effect.gen(function*() {
      const { asked, tag } = yield* asking(() => invalid("no"))
      for (let turn = 0; turn < 10; turn++) yield* tag(undefined)
      assert.strictEqual(asked(), 10)
    }))

  it.effect("counts by what a proxy says where it is told how", () =>
    Effect.gen(function*() {
      const limited = yield* Authenticator.withGuessLimit({
        attempts: 1,
        peerOf: ({ header }) => header("x-real-ip")
      })(saying(invalid("no")))
      const tag = (address: string) =>
        Effect.map(
          Effect.flip(limited.authenticate(presented({ header: () => address }))),
          ({ _tag }) => _tag
        )
      assert.deepStrictEqual(yield* Effect.all(["a", "b", "a"].map(tag)), ["Invalid", "Invalid", "TooMany"])
    }))

  it.effect("keeps 10,000 addresses at most, the newest", () =>
    Effect.gen(function*() {
      const limited = yield* Authenticator.withGuessLimit({ attempts: 1 })(saying(invalid("no")))
      const tag = (n: number) =>
        Effect.map(
          Effect.flip(limited.authenticate(presented({ peer: `host-${n}` }))),
          ({ _tag }) => _tag
        )
      for (let n = 0; n <= 10_000; n++) yield* tag(n)
      assert.strictEqual(yield* tag(10_000), "TooMany")
      assert.strictEqual(yield* tag(0), "Invalid")
    }))
})

describe("Authenticator.wwwAuthenticate", () => {
  const metadata = "https://mcp.example/.well-known/oauth-protected-resource/mcp"
  const cases: ReadonlyArray<readonly [string, Parameters<typeof Authenticator.wwwAuthenticate>, string]> = [
    ["names a realm where there is nothing else to say", [{}], `Bearer realm="mcp"`],
    ["names the realm that is given", [{ realm: "notes" }], `Bearer realm="notes"`],
    [
      "names scopes and metadata when nothing was presented",
      [{ scopes: ["a", "b"], resourceMetadata: metadata }],
      `Bearer scope="a b", resource_metadata="${metadata}"`
    ],
    [
      "names the error of a credential that does not do",
      [{ resourceMetadata: metadata }, { code: "invalid_token", description: "no" }],
      `Bearer error="invalid_token", error_description="no", resource_metadata="${metadata}"`
    ],
    [
      "names the scopes of the operation in place of the usual ones",
      [{ scopes: ["usual"] }, { code: "insufficient_scope", scopes: ["x:read", "x:write"] }],
      `Bearer error="insufficient_scope", scope="x:read x:write"`
    ],
    [
      "escapes quotes and backslashes, and leaves out what is no ASCII and what ends a line",
      [{}, { code: "invalid_token", description: "a \"b\" \\ c\r\nSet-Cookie: d=é\u2028" }],
      `Bearer error="invalid_token", error_description="a \\"b\\" \\\\ cSet-Cookie: d="`
    ],
    [
      "leaves out scopes that no header can name",
      [{ scopes: ["ok", "a b", "q\"", "back\\slash", "é", ""] }],
      `Bearer scope="ok"`
    ]
  ]
  for (const [what, args, expected] of cases) {
    it(what, () => assert.strictEqual(Authenticator.wwwAuthenticate(...args), expected))
  }
})
