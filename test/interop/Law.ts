/**
 * What holds for every official client, in each of its modes, wherever it meets
 * the full server; and what the checks of it are written with.
 */
import { assert } from "@effect/vitest"
import type { Json, Official, Settings } from "./official.js"

/** A client that is connected, and what its server's handlers see. */
export interface Subject {
  readonly client: Official
  readonly isModern: boolean
  readonly place: "http" | "stdio" | "memory"
  /** A name that no other client uses, for the key of a call or for a thing that is added. */
  readonly own: (name: string) => string
  /** What was noted under a key, or of the process. */
  readonly noted: (key: string) => ReadonlyArray<string>
  /** Another client of the same kind, closed with the test. */
  readonly connect: (settings: Settings) => Promise<Official>
}

export interface Law {
  /** Finishes the sentence "it …". */
  readonly name: string
  /** Where the law holds; everywhere unless given. */
  readonly where?: (subject: Pick<Subject, "isModern" | "place">) => boolean
  readonly check: (subject: Subject) => Promise<void>
}

const deadline = 15_000

/** Looks again and again until it is so, and fails when that takes too long. */
export const until = async (isSo: () => boolean | Promise<boolean>, what: string): Promise<void> => {
  const end = performance.now() + deadline
  while (!(await isSo())) {
    if (performance.now() > end) throw new Error(`waited in vain for: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

/** The error that a request was refused with. */
export const refusal = (request: Promise<unknown>): Promise<Json> =>
  request.then(
    (result) => assert.fail(`it was answered: ${JSON.stringify(result)}`),
    (error: unknown) => Object(error)
  )

/** The text of the first block. */
export const textOf = (result: Json): string => {
  const [first] = Object(result["content"])
  return String(Object(first).text)
}

/** Under what name a tool failed. */
export const failureOf = (result: Json): unknown => Object(Object(result["_meta"])["dev.causeway/error"]).code

export const namesOf = (items: ReadonlyArray<Json>): ReadonlyArray<unknown> => items.map(({ name }) => name)

/** Waits for what a handler noted, and compares all of it. */
export const saw = async (
  { noted }: Pick<Subject, "noted">,
  key: string,
  expected: ReadonlyArray<string>
): Promise<void> => {
  await until(() => noted(key).length >= expected.length, `the handler to see ${expected.join(", ")}`)
  assert.deepEqual([...noted(key)], [...expected])
}

/** The code of the last error that came in as the server wrote it: a client may show another. */
export const lastCode = ({ raw }: Official): unknown =>
  Object(raw.findLast(({ error }) => error !== undefined)?.error).code
