/**
 * Decodes a call's arguments, and says what is wrong with them at a cost that
 * the caller cannot drive up.
 *
 * @since 0.1.0
 */
import * as Either from "effect/Either"
import * as ParseResult from "effect/ParseResult"
import type * as Schema from "effect/Schema"
import * as AST from "effect/SchemaAST"
import type * as JsonValidator from "../../protocol/JsonValidator.js"
import { ToolError } from "../ToolError.js"

/** Where the arguments are wrong, and how. */
interface Problem {
  readonly path: string
  readonly message: string
}

/**
 * Decodes arguments, or says what is wrong with them.
 *
 * @since 0.1.0
 * @category models
 */
export type Decode = (input: unknown) => Either.Either<unknown, ToolError>

/** More than this many are not looked at: each is compared with the others, and a caller may send any number. */
const mostProblems = 200

/** Arguments of more parts are not looked through for a second problem. A part is a value, or 64 characters. */
const mostParts = 2000

const shorten = (message: string): string => (message.length > 300 ? `${message.slice(0, 300)}…` : message)

const dotted = (path: ReadonlyArray<PropertyKey>): string => shorten(path.map(String).join("."))

const isLarge = (value: unknown): boolean => {
  let left = mostParts
  const pending: Array<unknown> = [value]
  while (pending.length > 0) {
    const part = pending.pop()
    left -= typeof part === "string" ? 1 + (part.length >> 6) : 1
    if (left < 0) return true
    if (typeof part !== "object" || part === null) continue
    if (Array.isArray(part)) {
      if (part.length > left) return true
      pending.push(...part)
    } else {
      const keys = Object.keys(part)
      if (keys.length > left) return true
      for (const key of keys) left -= key.length >> 6
      pending.push(...Object.values(part))
    }
  }
  return false
}

/** Whether a name is there that sets a prototype where it is assigned: `JSON.parse` makes it a property like others. */
const holdsPrototype = (value: unknown): boolean => {
  const pending: Array<unknown> = [value]
  while (pending.length > 0) {
    const part = pending.pop()
    if (typeof part !== "object" || part === null) continue
    if (Object.hasOwn(part, "__proto__")) return true
    for (const member of Object.values(part)) {
      if (typeof member === "object" && member !== null) pending.push(member)
    }
  }
  return false
}

/** Whether a schema copies names that it does not know beforehand. */
const takesAnyName = (ast: AST.AST, seen = new Set<AST.AST>()): boolean => {
  if (seen.has(ast)) return false
  seen.add(ast)
  const inside = (inner: AST.AST): boolean => takesAnyName(inner, seen)
  switch (ast._tag) {
    case "TypeLiteral":
      return ast.indexSignatures.length > 0 || ast.annotations[AST.ParseOptionsAnnotationId] !== undefined ||
        ast.propertySignatures.some((property) => inside(property.type))
    case "TupleType":
      return [...ast.elements, ...ast.rest].some((element) => inside(element.type))
    case "Union":
      return ast.types.some(inside)
    case "Refinement":
      return inside(ast.from)
    case "Transformation":
      return inside(ast.from) || inside(ast.to)
    case "Suspend":
      return inside(ast.f())
    case "Declaration":
      return ast.typeParameters.some(inside)
    default:
      return false
  }
}

/** An optional property is a union with `undefined`; that it is not `undefined` either helps nobody. */
const isIdle = (problem: Problem, all: ReadonlyArray<Problem>): boolean =>
  problem.message.startsWith("Expected undefined, actual") &&
  all.some((other) => other !== problem && (other.path === problem.path || other.path.startsWith(`${problem.path}.`)))

const problemsOf = (issue: ParseResult.ParseIssue): ReadonlyArray<Problem> => {
  const all = ParseResult.ArrayFormatter.formatIssueSync(issue).slice(0, mostProblems).map(({ message, path }) => ({
    path: dotted(path),
    message: shorten(message)
  }))
  return all.filter((problem) => !isIdle(problem, all))
}

/** The first of what is wrong, without the value itself where that is large. */
const firstOf = (issue: ParseResult.ParseIssue, path: ReadonlyArray<PropertyKey> = []): Problem => {
  switch (issue._tag) {
    case "Pointer":
      return firstOf(issue.issue, [...path, ...(Array.isArray(issue.path) ? issue.path : [issue.path])])
    case "Composite":
      return firstOf(Array.isArray(issue.issues) ? issue.issues[0] : issue.issues, path)
    case "Refinement":
    case "Transformation":
      return firstOf(issue.issue, path)
    case "Missing":
      return { path: dotted(path), message: "is missing" }
    case "Unexpected":
      return { path: dotted(path), message: shorten(issue.message ?? "is unexpected") }
    default:
      return {
        path: dotted(path),
        message: shorten(
          isLarge(issue.actual)
            ? `Expected ${String(issue.ast)}`
            : ParseResult.ArrayFormatter.formatIssueSync(issue)[0]?.message ?? "does not fit"
        )
      }
  }
}

const invalidInput = (toolName: string, found: ReadonlyArray<Problem>, isFirstOnly = false): ToolError =>
  new ToolError({
    code: "invalid_input",
    message: `The arguments of ${toolName} do not fit. ${
      found.slice(0, 20).map((problem) => `${problem.path === "" ? "arguments" : problem.path}: ${problem.message}`)
        .join("; ")
    }.${
      isFirstOnly ? " There may be more: arguments of this size are checked up to the first problem." : ""
    } Correct them and call again.`,
    details: { problems: found.slice(0, 100) }
  })

/** Decoding follows the arguments' own nesting, as deep as the caller likes. */
const guarded = (toolName: string, decode: Decode): Decode => (input) => {
  try {
    return decode(input)
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause
    return Either.left(invalidInput(toolName, [{ path: "", message: "are nested too deeply" }]))
  }
}

/**
 * Decodes by an Effect Schema. Says everything that is wrong with arguments of
 * up to 2,000 parts, and of larger ones the first thing. The name `__proto__` is
 * refused where a schema takes any name.
 *
 * @since 0.1.0
 * @category constructors
 */
export const bySchema = (toolName: string, schema: Schema.Schema<unknown, unknown>): Decode => {
  const first = ParseResult.decodeUnknownEither(schema, { errors: "first", onExcessProperty: "error" })
  const all = ParseResult.decodeUnknownEither(schema, { errors: "all", onExcessProperty: "error" })
  const isOpen = takesAnyName(schema.ast)
  return guarded(toolName, (input) => {
    const decoded = first(input)
    if (Either.isRight(decoded)) {
      return isOpen && holdsPrototype(input)
        ? Either.left(invalidInput(toolName, [{ path: "__proto__", message: "is not allowed as a name" }]))
        : Either.right(decoded.right)
    }
    if (isLarge(input)) return Either.left(invalidInput(toolName, [firstOf(decoded.left)], true))
    const again = all(input)
    return Either.left(invalidInput(toolName, problemsOf(Either.isLeft(again) ? again.left : decoded.left)))
  })
}

/** A JSON Pointer as the path that is told everywhere else. */
const fromPointer = (pointer: string): string =>
  pointer.split("/").slice(1).map((key) => key.replaceAll("~1", "/").replaceAll("~0", "~")).join(".")

/**
 * Lets arguments through as they are when they fit a foreign schema.
 *
 * @since 0.1.0
 * @category constructors
 */
export const byValidator = (toolName: string, validator: JsonValidator.JsonValidator): Decode => (input) => {
  const found = validator.check(input)
  return found.length === 0
    ? Either.right(input)
    : Either.left(invalidInput(toolName, found.map(({ message, path }) => ({ path: fromPointer(path), message }))))
}
