import { assert, describe, it } from "@effect/vitest"
import * as RedisSlot from "causeway-mcp/redis/RedisSlot"

describe("RedisSlot.of", () => {
  it("gives the slots that Redis gives", () => {
    for (const [key, slot] of [["123456789", 12_739], ["foo", 12_182], ["", 0], ["{foo}bar", 12_182]] as const) {
      assert.strictEqual(RedisSlot.of(key), slot, key)
    }
  })

  it("looks at the first braces only, and not at empty ones", () => {
    assert.strictEqual(RedisSlot.of("a{foo}b{bar}"), RedisSlot.of("foo"))
    assert.strictEqual(RedisSlot.of("a{{foo}}"), RedisSlot.of("{foo"))
    assert.notStrictEqual(RedisSlot.of("{}a"), RedisSlot.of("{}b"))
    assert.notStrictEqual(RedisSlot.of("{a"), RedisSlot.of("{b"))
  })

  it("stays within the slots for any key", () => {
    for (let index = 0; index < 20_000; index++) {
      const slot = RedisSlot.of(`key-${index}-é🙂`)
      assert.isTrue(Number.isInteger(slot) && slot >= 0 && slot < RedisSlot.count)
    }
  })
})
