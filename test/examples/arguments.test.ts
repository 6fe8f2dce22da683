import { assert, describe, it } from "@effect/vitest"
import * as Either from "effect/Either"
import * as Arguments from "../../examples/arguments.js"

const usage = "Paints.\n"

const read = (...args: ReadonlyArray<string>) =>
  Arguments.read(
    usage,
    { colour: { type: "string" }, twice: { type: "boolean" } },
    ({ colour, twice }, others) =>
      others.length === 1
        ? { colour: colour ?? "white", twice: twice ?? false, wall: others[0] }
        : "Give exactly one WALL.",
    args
  )

const unread = (...args: ReadonlyArray<string>) => Either.getOrThrow(Either.flip(read(...args)))

describe("the arguments of the commands", () => {
  it("are the options and what stands beside them", () => {
    assert.deepStrictEqual(
      read("north", "--colour", "red"),
      Either.right({ colour: "red", twice: false, wall: "north" })
    )
    assert.deepStrictEqual(
      read("--twice", "--", "--north"),
      Either.right({ colour: "white", twice: true, wall: "--north" })
    )
  })

  it("give the usage and no error when it is asked for", () => {
    for (const asked of ["--help", "-h"]) assert.deepStrictEqual(unread("north", asked), { text: usage, exitCode: 0 })
  })

  it("say what is wrong and then the usage, and end with 2", () => {
    assert.deepStrictEqual(unread(), { text: `Give exactly one WALL.\n\n${usage}`, exitCode: 2 })
    for (const args of [["north", "--color", "red"], ["north", "--colour"], ["north", "--twice=yes"]]) {
      const { exitCode, text } = unread(...args)
      assert.strictEqual(exitCode, 2)
      assert.match(text, /^\S.*\n\nPaints\.\n$/su)
    }
  })
})
