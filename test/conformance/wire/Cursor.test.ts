import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { layer as wire, Wire } from "./Fixture.js"
import { at, claim, handshakes, isError, itemsAt, plain } from "./Words.js"

interface List {
  readonly method: string
  readonly field: string
  /** What names an item. */
  readonly key: string
  readonly names: ReadonlyArray<string>
}

const tools = [
  ...["ask_name", "ask_other", "ask_twice", "count", "echo", "gated", "gated_progress", "gossip", "job_asking"],
  ...["job_gated", "job_optional", "mirrored", "never", "reflect", "stubborn", "talk", "ticking"]
]

const resources = ["first", "second", "third", "asking", "note/n1", "note/n2"].map((path) => `wire://${path}`)

const lists: ReadonlyArray<List> = [
  { method: "tools/list", field: "tools", key: "name", names: tools },
  { method: "resources/list", field: "resources", key: "uri", names: resources },
  {
    method: "resources/templates/list",
    field: "resourceTemplates",
    key: "uriTemplate",
    names: ["note", "left", "right"].map((path) => `wire://${path}/{id}`)
  },
  { method: "prompts/list", field: "prompts", key: "name", names: ["ask_name", "greeting", "plain"] }
]

/** Asks on 2026-07-28, or under a handshake. */
const asker = (version?: string) =>
  Effect.gen(function*() {
    const { pipe } = yield* Wire
    const peer = yield* pipe()
    if (version !== undefined) yield* peer.handshake(version)
    let id = 0
    return (method: string, params: object) => {
      id += 1
      return Effect.map(
        peer.ask(version === undefined ? claim(method, { ...params }, id) : plain(method, params, id)),
        (answer) => ({ ...Object(answer), id: 1 })
      )
    }
  })

/** All pages of a list, by following its cursors. */
const walk = (list: List, version?: string) =>
  Effect.gen(function*() {
    const ask = yield* asker(version)
    const pages: Array<unknown> = []
    const cursors: Array<string> = []
    let cursor: unknown
    do {
      const page = yield* ask(list.method, cursor === undefined ? {} : { cursor })
      pages.push(page)
      cursor = at(page, "result", "nextCursor")
      if (typeof cursor === "string") cursors.push(cursor)
      else assert.isUndefined(cursor)
    } while (cursor !== undefined && pages.length < 50)
    return { pages, cursors }
  })

const namesOf = (list: List, pages: ReadonlyArray<unknown>) =>
  pages.flatMap((page) => itemsAt(page, "result", list.field).map((item) => at(item, list.key)))

const base64 = (text: string): string => Buffer.from(text).toString("base64url")

const never: ReadonlyArray<unknown> = [
  "",
  " ",
  "0",
  "2",
  "-1",
  "null",
  "undefined",
  "nonsense",
  "Mi4x",
  base64("2"),
  base64("2."),
  base64("2.0"),
  base64("-2.0"),
  base64("NaN.0"),
  base64("999999999999.1"),
  base64("{\"offset\":2}"),
  "\u0000",
  "\ud800",
  "\u{1f600}",
  "__proto__",
  "A".repeat(100_000)
]

const noStrings: ReadonlyArray<unknown> = [2, 0, null, true, ["x"], { offset: 2 }]

layer(wire(), { excludeTestServices: true })("§6.8, cursors", (it) => {
  for (const list of lists) {
    for (const version of [undefined, ...handshakes]) {
      it.scoped(`§6.8, ${version ?? "2026-07-28"}: ${list.method} gives everything once, in order, by pages of two`, () =>
        Effect.gen(function*() {
          const { pages } = yield* walk(list, version)
          const found = namesOf(list, pages)
          assert.deepStrictEqual([...found].sort(), [...list.names].sort())
          assert.deepStrictEqual(
            pages.map((page) => itemsAt(page, "result", list.field).length),
            pages.map((_, index) => Math.min(2, list.names.length - 2 * index))
          )
          assert.deepStrictEqual(namesOf(list, (yield* walk(list, version)).pages), found)
        }))

      it.scoped(`§6.8, ${version ?? "2026-07-28"}: ${list.method} refuses what it never gave out, an empty string too`, () =>
        Effect.gen(function*() {
          const ask = yield* asker(version)
          for (const cursor of [...never, ...noStrings]) isError(yield* ask(list.method, { cursor }), -32602, 1)
        }))
    }

    it.scoped(`§6.8: ${list.method} refuses its own cursors when they are cut or changed`, () =>
      Effect.gen(function*() {
        const ask = yield* asker()
        const { cursors } = yield* walk(list)
        const cursor = String(cursors[0])
        const changed = [...cursor].map((character, index) =>
          `${cursor.slice(0, index)}${character === "A" ? "Q" : "A"}${cursor.slice(index + 1)}`
        )
        const cut = Array.from({ length: cursor.length - 1 }, (_, index) => cursor.slice(0, index + 1))
        for (const bad of [...changed, ...cut, `${cursor}A`, ` ${cursor}`, `${cursor}=`.repeat(2), cursor + cursor]) {
          isError(yield* ask(list.method, { cursor: bad }), -32602, 1)
        }
        assert.isDefined(at(yield* ask(list.method, { cursor }), "result"))
      }))

    it.scoped(`§6.8: ${list.method} refuses the cursors of other lists`, () =>
      Effect.gen(function*() {
        const ask = yield* asker()
        for (const other of lists.filter(({ method }) => method !== list.method)) {
          for (const cursor of (yield* walk(other)).cursors) isError(yield* ask(list.method, { cursor }), -32602, 1)
        }
      }))

    it.scoped(`§6.9: all pages of ${list.method} may be kept alike, and not by everybody`, () =>
      Effect.gen(function*() {
        for (const page of (yield* walk(list)).pages) {
          assert.strictEqual(at(page, "result", "cacheScope"), "private")
          const ttl = at(page, "result", "ttlMs")
          assert.isTrue(Number.isInteger(ttl) && Number(ttl) >= 0)
        }
      }))
  }

  it.scoped("§2: a cursor goes on for another connection, another user of the same list and another era", () =>
    Effect.gen(function*() {
      const { http, pipe } = yield* Wire
      for (const list of lists) {
        const { cursors, pages } = yield* walk(list)
        const second = namesOf(list, pages.slice(1, 2))
        const message = claim(list.method, { cursor: cursors[0] })
        const byAlice = yield* http.post(message, { "x-test-user": "alice" })
        assert.deepStrictEqual(namesOf(list, [byAlice.json]), second)
        const peer = yield* Effect.scoped(Effect.flatMap(pipe(), (_) => _.ask(message)))
        assert.deepStrictEqual(namesOf(list, [peer]), second)
        const old = yield* http.post(plain(list.method, { cursor: cursors[0] }))
        assert.deepStrictEqual(namesOf(list, [old.json]), second)
      }
    }))

  it.scoped("§6.8: a cursor expires when the list has changed, and a fresh walk sees the change", () =>
    Effect.gen(function*() {
      const { ledger } = yield* Wire
      const ask = yield* asker()
      const list = { method: "resources/list", field: "resources", key: "uri", names: [] }
      const before = yield* walk(list)
      const notes = ledger.notes
      ledger.notes = [...notes, "n3"]
      for (const cursor of before.cursors) isError(yield* ask(list.method, { cursor }), -32602, 1)
      assert.include(namesOf(list, (yield* walk(list)).pages), "wire://note/n3")
      // A list that is as it was is the list of its old cursors.
      ledger.notes = notes
      for (const cursor of before.cursors) assert.isDefined(at(yield* ask(list.method, { cursor }), "result"))
    }))
})
