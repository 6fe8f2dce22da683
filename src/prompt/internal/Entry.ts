/**
 * Prompts made ready to be served: checked, and their schemas compiled once.
 *
 * @since 0.1.0
 */
import type * as Context from "effect/Context"
import * as Either from "effect/Either"
import * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"
import * as JsonSchema from "../../protocol/JsonSchema.js"
import type { McpError } from "../../protocol/McpError.js"
import { invalidParams } from "../../protocol/McpError.js"
import type * as Mcp from "../../protocol/McpSchema.js"
import type * as McpPrompt from "../McpPrompt.js"

export interface Entry {
  readonly prompt: McpPrompt.Any
  readonly description: Mcp.Prompt
  /** The services that its handler needs. */
  readonly context: Context.Context<unknown>
  readonly names: ReadonlySet<string>
  /** Says which arguments are missing, or what is wrong with them. */
  readonly decode: (args: { readonly [name: string]: string }) => Either.Either<unknown, McpError>
  readonly complete: ReadonlyMap<string, McpPrompt.Complete<unknown, unknown>>
  /** The literals that an argument may be, for those whose schema holds nothing else. */
  readonly literals: ReadonlyMap<string, ReadonlyArray<string>>
}

type Argument = NonNullable<Mcp.Prompt["arguments"]>[number]

const maxNameLength = 128
const maxShown = 300
const control = /\p{Cc}/u

const shorten = (text: string): string => text.length > maxShown ? `${text.slice(0, maxShown)}…` : text

const isObject = (value: unknown): value is { readonly [key: string]: unknown } =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** The arguments as the JSON Schema of the encoded side shows them. */
const argumentsOf = (schema: JsonSchema.JsonSchema): ReadonlyArray<Argument> => {
  const required = new Set(Array.isArray(schema.required) ? schema.required : [])
  return Object.entries(isObject(schema.properties) ? schema.properties : {}).map(([name, property]) => {
    const { description, title } = isObject(property) ? property : {}
    return {
      name,
      ...(typeof title === "string" ? { title } : {}),
      ...(typeof description === "string" ? { description } : {}),
      required: required.has(name)
    }
  })
}

const isStrings = (values: ReadonlyArray<unknown>): values is ReadonlyArray<string> =>
  values.every((value) => typeof value === "string")

const literalsOf = (schema: JsonSchema.JsonSchema): ReadonlyMap<string, ReadonlyArray<string>> =>
  new Map(
    Object.entries(isObject(schema.properties) ? schema.properties : {}).map(([name, property]) => {
      const values = !isObject(property)
        ? []
        : Array.isArray(property.enum)
        ? property.enum
        : "const" in property
        ? [property.const]
        : []
      return [name, isStrings(values) ? values : []]
    })
  )

/** An optional argument is a union with `undefined`; that it is not `undefined` either helps nobody. */
const isIdle = (message: string): boolean => message.startsWith("Expected undefined, actual")

const misfit = (name: string, error: ParseResult.ParseError): McpError => {
  const issues = ParseResult.ArrayFormatter.formatErrorSync(error).slice(0, 50)
  const problems = issues.filter((issue) => !isIdle(issue.message)).slice(0, 20).map((issue) => ({
    argument: shorten(issue.path.map(String).join(".")),
    message: shorten(issue.message)
  }))
  return invalidParams(
    `The arguments of the prompt ${name} do not fit. ${
      problems.map((problem) => `${problem.argument}: ${problem.message}`).join("; ")
    }`,
    { problems }
  )
}

const decoderOf = (name: string, fields: Schema.Struct.Fields, args: ReadonlyArray<Argument>): Entry["decode"] => {
  // `McpPrompt.make` has checked that the fields need no services.
  const schema = Schema.Struct(fields) as unknown as Schema.Schema<unknown, unknown>
  const decode = Schema.decodeUnknownEither(schema, { errors: "all", onExcessProperty: "error" })
  const required = args.filter((argument) => argument.required === true).map((argument) => argument.name)
  return (given) => {
    const missing = required.filter((argument) => !Object.hasOwn(given, argument))
    return missing.length > 0
      ? Either.left(invalidParams(`The prompt ${name} needs the argument ${missing.join(", ")}`, { missing }))
      : Either.mapLeft(decode(given), (error) => misfit(name, error))
  }
}

const jsonSchemaOf = (fields: Schema.Struct.Fields): Either.Either<JsonSchema.JsonSchema, string> =>
  Either.try({
    try: () => JsonSchema.fromSchema(Schema.Struct(fields)),
    catch: (cause) =>
      `an argument has no JSON form: ${cause instanceof Error ? cause.message.split("\n")[0] : "unknown"}`
  })

const nameProblem = (name: string): string | undefined =>
  name.trim() === "" || name.length > maxNameLength || control.test(name)
    ? `a name has 1 to ${maxNameLength} characters, none of them a control character`
    : undefined

/** Makes prompts ready; or says everything that is wrong with them, each with its name. */
export const compile = (
  prompts: ReadonlyArray<McpPrompt.Any>,
  context: Context.Context<unknown>
): Either.Either<ReadonlyMap<string, Entry>, readonly [string, ...ReadonlyArray<string>]> => {
  const entries = new Map<string, Entry>()
  const problems: Array<string> = []
  for (const prompt of prompts) {
    const tell = (problem: string) => problems.push(`prompt ${JSON.stringify(prompt.name.slice(0, 100))}: ${problem}`)
    const wrong = nameProblem(prompt.name)
    if (wrong !== undefined) tell(wrong)
    if (entries.has(prompt.name)) tell("the name stands twice")
    for (const name of Object.keys(prompt.complete)) {
      if (!Object.hasOwn(prompt.arguments, name)) tell(`the completed "${name}" is no argument`)
    }
    const schema = jsonSchemaOf(prompt.arguments)
    if (Either.isLeft(schema)) {
      tell(schema.left)
      continue
    }
    const args = argumentsOf(schema.right)
    const { description, icons, name, title } = prompt
    entries.set(name, {
      prompt,
      description: {
        name,
        ...(title === undefined ? {} : { title }),
        description,
        ...(args.length === 0 ? {} : { arguments: args }),
        ...(icons.length === 0 ? {} : { icons })
      },
      context,
      names: new Set(args.map((argument) => argument.name)),
      decode: decoderOf(name, prompt.arguments, args),
      complete: new Map(Object.entries(prompt.complete)),
      literals: literalsOf(schema.right)
    })
  }
  const [first, ...rest] = problems
  return first === undefined ? Either.right(entries) : Either.left([first, ...rest])
}
