import { assert, describe, it, layer } from "@effect/vitest"
import * as IdempotencyStore from "causeway-mcp/policy/IdempotencyStore"
import * as IdempotencyStoreLaws from "causeway-mcp/testing/IdempotencyStoreLaws"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import * as TestClock from "effect/TestClock"

layer(IdempotencyStore.layerMemory)("IdempotencyStore.layerMemory", (it) => {
  for (const { check, name } of IdempotencyStoreLaws.laws) it.effect(name, () => check)
})

const name = FastCheck.constantFrom("a", "b")
const holder = FastCheck.nat(20)

const operation = FastCheck.oneof(
  FastCheck.record({
    kind: FastCheck.constant("claim" as const),
    name,
    print: FastCheck.constantFrom("1", "2"),
    millis: FastCheck.nat(300)
  }),
  FastCheck.record({ kind: FastCheck.constant("extend" as const), name, holder, millis: FastCheck.nat(300) }),
  FastCheck.record({ kind: FastCheck.constant("answer" as const), name, holder, millis: FastCheck.nat(300) }),
  FastCheck.record({ kind: FastCheck.constant("release" as const), name, holder }),
  FastCheck.record({ kind: FastCheck.constant("pass" as const), millis: FastCheck.nat(200) })
)

interface Known {
  readonly print: string
  readonly token: string
  readonly until: number
  readonly json?: string
}

describe("IdempotencyStore.make", () => {
  for (const { check, name } of IdempotencyStoreLaws.timedLaws) {
    it.effect(name, () => Effect.provide(check(TestClock.adjust), IdempotencyStore.layerMemory))
  }

  it.effect("frees a key at the very moment the lease is over, and not before", () =>
    Effect.gen(function*() {
      const store = yield* IdempotencyStore.make()
      yield* store.claim("a", "f", 60_000)
      yield* TestClock.adjust("59999 millis")
      assert.deepStrictEqual(yield* store.claim("a", "f", 60_000), { _tag: "Running", leaseMillis: 1 })
      yield* TestClock.adjust("1 millis")
      assert.strictEqual((yield* store.claim("a", "f", 60_000))._tag, "Claimed")
    }))

  it.effect("lets the oldest answers go when it holds too much, and no call that is being made", () =>
    Effect.gen(function*() {
      const store = yield* IdempotencyStore.make({ maxBytes: 10_000 })
      yield* store.claim("running", "f", 1000)
      for (let index = 0; index < 10; index++) {
        const claim = yield* store.claim(`${index}`, "f", 1000)
        assert(claim._tag === "Claimed")
        assert.isTrue(yield* store.answer(`${index}`, claim.token, "x".repeat(2000), 1000))
      }
      const tags = yield* Effect.forEach(["running", "0", "5", "6", "9"], (key) => store.claim(key, "f", 1000))
      assert.deepStrictEqual(tags.map(({ _tag }) => _tag), ["Running", "Claimed", "Claimed", "Answered", "Answered"])
    }))

  it("is as a map whose entries are over in time", () => {
    FastCheck.assert(
      FastCheck.property(FastCheck.array(operation, { maxLength: 100, size: "max" }), (operations) => {
        let now = 0
        const clock = Object.assign(Clock.make(), { unsafeCurrentTimeNanos: () => BigInt(now) * 1_000_000n })
        const store = Effect.runSync(Effect.withClock(IdempotencyStore.make(), clock))
        const model = new Map<string, Known>()
        const tokens: Array<string> = ["nobody's"]
        for (const step of operations) {
          if (step.kind === "pass") {
            now += step.millis
            continue
          }
          const known = model.get(step.name)
          const found = known !== undefined && known.until > now ? known : undefined
          if (step.kind === "claim") {
            const claim = Effect.runSync(store.claim(step.name, step.print, step.millis))
            if (found === undefined) {
              assert(claim._tag === "Claimed")
              tokens.push(claim.token)
              model.set(step.name, { print: step.print, token: claim.token, until: now + step.millis })
            } else if (found.print !== step.print) assert.deepStrictEqual(claim, { _tag: "Mismatch" })
            else if (found.json === undefined) {
              assert.deepStrictEqual(claim, { _tag: "Running", leaseMillis: found.until - now })
            } else assert.deepStrictEqual(claim, { _tag: "Answered", json: found.json })
            continue
          }
          const token = tokens[Math.max(0, tokens.length - 1 - step.holder)] ?? ""
          const held = found?.token === token && found.json === undefined ? found : undefined
          if (step.kind === "release") {
            Effect.runSync(store.release(step.name, token))
            if (held !== undefined) model.delete(step.name)
            continue
          }
          const json = `${now}`
          const done = step.kind === "extend"
            ? store.extend(step.name, token, step.millis)
            : store.answer(step.name, token, json, step.millis)
          assert.strictEqual(Effect.runSync(done), held !== undefined)
          if (held === undefined) continue
          model.set(step.name, {
            ...held,
            until: now + step.millis,
            ...(step.kind === "answer" ? { json } : {})
          })
        }
      }),
      { numRuns: 500 }
    )
  })
})
