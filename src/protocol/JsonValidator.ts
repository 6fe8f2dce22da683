/**
 * Checks JSON against a JSON Schema that came from outside, within bounds: no
 * code is generated, nothing is fetched, and no schema can make it run for long.
 *
 * @since 0.1.0
 */
import * as CfWorker from "@cfworker/json-schema"
import * as Either from "effect/Either"
import * as SchemaReader from "./internal/SchemaReader.js"
import * as JsonMeasure from "./JsonMeasure.js"
import type { JsonSchema } from "./JsonSchema.js"

/**
 * What is wrong, and where: a JSON Pointer from the root, empty for the root
 * itself.
 *
 * @since 0.1.0
 * @category models
 */
export interface Problem {
  readonly path: string
  readonly message: string
}

/**
 * A schema that was read and found sound.
 *
 * @since 0.1.0
 * @category models
 */
export interface JsonValidator {
  /** Everything that is wrong with a value, at most 50 problems; none when it fits. */
  readonly check: (value: unknown) => ReadonlyArray<Problem>
}

/** Enough to correct a value by. */
const maxProblems = 50

/** Errors that only say that something inside is wrong. */
const wrappers: ReadonlySet<string> = new Set([
  "$ref",
  "properties",
  "patternProperties",
  "additionalProperties",
  "unevaluatedProperties",
  "propertyNames",
  "items",
  "prefixItems",
  "unevaluatedItems",
  "allOf",
  "if",
  "dependentSchemas"
])

const clip = (text: string): string => text.length > 200 ? `${text.slice(0, 200)}…` : text

/** Where something is wrong, and every place around it. */
const placesOf = (errors: ReadonlyArray<CfWorker.OutputUnit>): ReadonlySet<string> => {
  const places = new Set<string>()
  for (const { instanceLocation } of errors) {
    for (let at = instanceLocation; at !== "" && !places.has(at); at = at.slice(0, Math.max(0, at.lastIndexOf("/")))) {
      places.add(at)
    }
  }
  return places
}

const problemsOf = (errors: ReadonlyArray<CfWorker.OutputUnit>): ReadonlyArray<Problem> => {
  const stated = errors.filter((error) => !wrappers.has(error.keyword))
  const places = placesOf(stated.filter((error) => error.keyword !== "false"))
  // A property that is wrong in itself counts as undeclared too, and is told once.
  const leaves = stated.filter((error) => error.keyword !== "false" || !places.has(error.instanceLocation))
  const found = new Map<string, Problem>()
  for (const error of leaves.length === 0 ? errors : leaves) {
    const problem = {
      path: clip(decodeURI(error.instanceLocation.slice(1))),
      message: error.keyword === "false" ? "This is not allowed here." : clip(error.error)
    }
    found.set(`${problem.path}\n${problem.message}`, problem)
    if (found.size === maxProblems) break
  }
  return [...found.values()]
}

/**
 * Reads a schema of draft 2020-12, or of draft-07 (`$schema` says so) without the
 * keywords that have since changed their meaning: at most 64 KiB of JSON and 32 levels deep,
 * with references into itself only (`#`, `#/…`, `#anchor`), and with patterns whose time
 * is known to be short. Fails with everything that is wrong, at most 50 problems.
 *
 * Of `format` it checks dates, times, durations, addresses of mail, host and
 * network, `uri` and `uuid`; other formats are notes. A value has at most 256 KiB,
 * 64 levels, 5,000 members in one object or list (1,000 where `uniqueItems`
 * stands, 200 in an object where `patternProperties` does), and the whole check a
 * bounded number of steps. A pattern is run on texts of 100,000 characters at
 * most, and of fewer the faster its time grows; a longer text does not fit.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (schema: JsonSchema): Either.Either<JsonValidator, ReadonlyArray<Problem>> =>
  Either.map(SchemaReader.read(schema), (sound): JsonValidator => ({
    check: (value) => {
      const copy = JsonMeasure.copy(value, {
        maxBytes: 256 * 1024,
        maxDepth: 64,
        maxMembers: sound.isUnique ? 1000 : 5000,
        maxNames: sound.isNamePattern ? 200 : undefined
      })
      if (Either.isLeft(copy)) return [{ path: "", message: `The value ${copy.left}.` }]
      sound.budget.reset()
      try {
        return problemsOf(CfWorker.validate(copy.right, sound.root, "2020-12", sound.references, false).errors)
      } catch (cause) {
        // The interpreter recurses with schema and value: what overflows its stack or its arguments is too large.
        if (cause instanceof SchemaReader.OutOfBudget || cause instanceof RangeError) {
          return [{ path: "", message: "The schema takes too many steps to check this value; simplify it." }]
        }
        throw cause
      }
    }
  }))
