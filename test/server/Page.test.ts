import { assert, describe, it } from "@effect/vitest"
import * as Cursor from "causeway-mcp/server/Cursor"
import * as Page from "causeway-mcp/server/Page"
import * as Exit from "effect/Exit"
import * as FastCheck from "effect/FastCheck"

interface Numbers {
  readonly numbers: ReadonlyArray<number>
  readonly nextCursor: string | undefined
  readonly scope: string
  readonly ttlMs: number
}

const pagerOf = (pageSize: number, scope: "public" | "private" = "private") => {
  const pager = Page.make({ pageSize, cache: { ttlMs: 5, scope } })
  return (items: ReadonlyArray<number>, cursor?: string): Exit.Exit<Numbers, unknown> =>
    pager(items, cursor, String, (numbers, nextCursor, cache) => ({ numbers, nextCursor, ...cache }))
}

const all = (page: ReturnType<typeof pagerOf>, items: ReadonlyArray<number>): ReadonlyArray<ReadonlyArray<number>> => {
  const pages: Array<ReadonlyArray<number>> = []
  let cursor: string | undefined
  do {
    const exit = page(items, cursor)
    if (Exit.isFailure(exit)) throw new Error("a cursor that was given out was refused")
    pages.push(exit.value.numbers)
    cursor = exit.value.nextCursor
  } while (cursor !== undefined)
  return pages
}

describe("Page.make", () => {
  it("gives every item once, in order, in pages of at most the size", () => {
    FastCheck.assert(FastCheck.property(
      FastCheck.uniqueArray(FastCheck.integer(), { maxLength: 40 }),
      FastCheck.integer({ min: 1, max: 10 }),
      (items, pageSize) => {
        const pages = all(pagerOf(pageSize), items)
        assert.deepStrictEqual(pages.flat(), items)
        assert.isTrue(pages.every((page) => page.length <= pageSize))
        assert.lengthOf(pages, Math.max(1, Math.ceil(items.length / pageSize)))
      }
    ))
  })

  it("gives the same page object as long as the array is the same", () => {
    const page = pagerOf(2)
    const items = [1, 2, 3]
    const value = (exit: Exit.Exit<Numbers, unknown>) => Exit.isSuccess(exit) ? exit.value : undefined
    const first = value(page(items))
    assert.strictEqual(value(page(items)), first)
    assert.notStrictEqual(value(page([...items])), first)
    const second = value(page(items, first?.nextCursor))
    assert.deepStrictEqual(second?.numbers, [3])
    assert.strictEqual(value(page(items, first?.nextCursor)), second)
  })

  it("serves a cursor of an instance with other page sizes, over the same list", () => {
    const exit = pagerOf(2)([1, 2, 3, 4], Cursor.encode(3, ["1", "2", "3", "4"]))
    assert.deepStrictEqual(Exit.isSuccess(exit) && exit.value.numbers, [4])
  })

  it("refuses a cursor of another list, of another shape, and the empty one", () => {
    const page = pagerOf(2)
    for (const cursor of [Cursor.encode(2, ["1", "2", "4"]), "nonsense", "", Cursor.encode(9, ["1", "2", "3"])]) {
      const exit = page([1, 2, 3], cursor)
      assert.isTrue(Exit.isFailure(exit), cursor)
    }
  })

  it("lets nobody but the client keep a page, whatever is asked for", () => {
    const exit = pagerOf(2, "public")([1])
    assert.deepInclude(Exit.isSuccess(exit) ? exit.value : {}, { scope: "private", ttlMs: 5 })
  })

  it("takes a page size below one for one", () => {
    assert.deepStrictEqual(all(pagerOf(0), [1, 2]), [[1], [2]])
  })
})
