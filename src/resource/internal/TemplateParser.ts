/**
 * Takes a URI template apart, and says what is wrong with one that could not be
 * matched without guessing.
 *
 * @since 0.1.0
 */
import * as Either from "effect/Either"
import type { Form, Pair, Path, Variable } from "./TemplateForm.js"

/** A name or a star, as it stands between braces. */
interface Named {
  readonly name: string
  readonly isExploded: boolean
}

const operators = "+#./;?&"
const validName = /^[A-Za-z0-9_]+(?:\.[A-Za-z0-9_]+)*$/u
const invalidLiteral = /[^\x21-\x7e]|["<>\\^`|}]|%(?![0-9A-Fa-f]{2})/u
const maxShown = 60

/** Stands for a variable in the text of a query; a literal cannot hold it. */
const hole = "\u0000"

const quote = (text: string): string => `"${text.length > maxShown ? `${text.slice(0, maxShown)}…` : text}"`

const namedIn = (list: string): ReadonlyArray<Named> =>
  list.split(",").map((text) => {
    const isExploded = text.endsWith("*")
    return { name: isExploded ? text.slice(0, -1) : text, isExploded }
  })

/** Collects the parts of one template, in their order. What it has collected means nothing once there is a problem. */
class Collector {
  problem: string | undefined
  readonly literals: Array<string> = [""]
  readonly variables: Array<Variable> = []
  readonly names = new Set<string>()
  matrix: Map<string, Pair> | undefined
  query: Map<string, Pair> | undefined
  fragment: string | undefined
  /** The text of a query that is written out, with a hole for each variable; `undefined` when there is none. */
  text: string | undefined
  readonly holes: Array<string> = []

  /** The first problem is the one to tell; those after it may follow from it. */
  refuse(reason: string): void {
    this.problem ??= reason
  }

  claim(name: string): void {
    if (this.names.has(name)) this.refuse(`the name ${quote(name)} stands twice`)
    this.names.add(name)
  }

  literal(text: string, at: number): void {
    if (text === "") return
    const wrong = invalidLiteral.exec(text)
    if (wrong !== null) {
      this.refuse(`${quote(wrong[0])} at character ${at + wrong.index} cannot stand in a URI; percent-encode it`)
    }
    const hash = text.indexOf("#")
    if (hash !== -1) this.refuse(`the fragment at character ${at + hash} can only be written as {#name}`)
    if (this.fragment !== undefined) this.refuse(`nothing may follow the fragment, at character ${at}`)
    if (this.text !== undefined) this.text += text
    else if (this.query !== undefined) this.refuse(`only {&…} or {#…} may follow {?…}, at character ${at}`)
    else {
      const question = text.indexOf("?")
      const path = question === -1 ? text : text.slice(0, question)
      if (path !== "" && this.matrix !== undefined) this.refuse(`{;…} must end the path, at character ${at}`)
      this.literals[this.literals.length - 1] += path
      if (question !== -1) this.text = text.slice(question + 1)
    }
  }

  /** A variable of the path, after what its operator writes before it. */
  variable(name: string, kind: Variable["kind"], before: string, at: number): void {
    this.claim(name)
    const last = this.literals.length - 1
    this.literals[last] += before
    if (last > 0 && this.literals[last] === "") {
      this.refuse(`two variables stand side by side at character ${at}: a match could not tell where one ends`)
    }
    if (kind !== "segment" && this.variables.some((variable) => variable.kind !== "segment")) {
      this.refuse(`only one variable may span segments; there is a second at character ${at}`)
    }
    this.variables.push({ name, kind })
    this.literals.push("")
  }

  /** Turns the text of a query into pairs. */
  settleQuery(): void {
    if (this.text === undefined) return
    const pairs = new Map<string, Pair>()
    for (const piece of this.text.split("&")) {
      const equals = piece.indexOf("=")
      const key = equals === -1 ? piece : piece.slice(0, equals)
      const value = equals === -1 ? "" : piece.slice(equals + 1)
      if (key === "" || key.includes(hole) || (value !== hole && value.includes(hole))) {
        this.refuse("in a query a variable is a whole value, as in ?q={q} or {?q}")
      }
      if (pairs.has(key)) this.refuse(`the key ${quote(key)} stands twice in the query`)
      const name = value === hole ? this.holes.shift() : undefined
      pairs.set(key, name === undefined ? { _tag: "Fixed", value } : { _tag: "Variable", name, isRequired: true })
    }
    this.text = undefined
    this.query = pairs
  }

  expression(inside: string, at: number): void {
    const operator = inside !== "" && operators.includes(inside.charAt(0)) ? inside.charAt(0) : ""
    const named = namedIn(inside.slice(operator.length))
    for (const { name } of named) {
      if (name.includes(":")) this.refuse(`the prefix in ${quote(name)} at character ${at} cannot be matched back`)
      else if (!validName.test(name)) {
        this.refuse(`${quote(name)} at character ${at} is no name of letters, digits, underscores and dots`)
      }
    }
    if (this.fragment !== undefined) this.refuse(`nothing may follow the fragment, at character ${at}`)
    const exploded = named.findIndex(({ isExploded }) => isExploded)
    if (exploded !== -1 && (operator !== "/" || exploded < named.length - 1)) {
      this.refuse(`the star at character ${at} cannot be matched back; only the last variable of {/…} can have one`)
    }
    if (operator === "?" || operator === "&" || operator === ";" || operator === "#") {
      return this.tail(operator, named, at)
    }
    if (this.text !== undefined && operator === "" && named.length === 1) {
      for (const { name } of named) {
        this.claim(name)
        this.holes.push(name)
        this.text += hole
      }
      return
    }
    if (this.text !== undefined || this.query !== undefined || this.matrix !== undefined) {
      this.refuse(`{${operator}…} at character ${at} must stand in the path`)
    }
    const before = operator === "/" || operator === "." ? operator : ""
    const between = before === "" ? "," : before
    named.forEach(({ isExploded, name }, index) =>
      this.variable(
        name,
        isExploded ? "list" : operator === "+" ? "span" : "segment",
        index === 0 ? before : between,
        at
      )
    )
  }

  /** What follows the path. */
  tail(operator: ";" | "?" | "&" | "#", named: ReadonlyArray<Named>, at: number): void {
    this.settleQuery()
    if (operator === "?" && this.query !== undefined) {
      this.refuse(`the query is open already; write {&…} at character ${at}`)
    }
    if (operator === "&" && this.query === undefined) this.refuse(`{&…} at character ${at} must follow a query`)
    if (operator === ";" && this.query !== undefined) this.refuse(`{;…} at character ${at} must stand in the path`)
    if (operator === "#" && named.length > 1) this.refuse(`a fragment has one variable only, at character ${at}`)
    for (const { name } of named) {
      this.claim(name)
      if (operator === "#") {
        this.fragment = name
        continue
      }
      const pairs = operator === ";" ? this.matrix ??= new Map() : this.query ??= new Map()
      if (pairs.has(name)) this.refuse(`the key ${quote(name)} stands twice in the query`)
      pairs.set(name, { _tag: "Variable", name, isRequired: false })
    }
  }

  finish(): Form {
    this.settleQuery()
    if (this.matrix !== undefined && this.literals.some((literal) => literal.includes(";"))) {
      this.refuse("a path with {;…} can have no other semicolon")
    }
    const path: Path = { literals: this.literals, variables: this.variables }
    return { path, matrix: this.matrix, query: this.query, fragment: this.fragment }
  }
}

/** Takes a template apart, or gives a sentence that says what is wrong and where, counting characters from 0. */
export const parse = (template: string): Either.Either<Form, string> => {
  const collector = new Collector()
  let at = 0
  while (at < template.length && collector.problem === undefined) {
    const open = template.indexOf("{", at)
    const end = open === -1 ? template.length : open
    collector.literal(template.slice(at, end), at)
    if (open === -1) break
    const close = template.indexOf("}", open)
    if (close === -1) collector.refuse(`the brace at character ${open} is not closed`)
    else collector.expression(template.slice(open + 1, close), open)
    at = close + 1
  }
  const form = collector.finish()
  return collector.problem === undefined ? Either.right(form) : Either.left(collector.problem)
}
