/**
 * Prompts made ready to be served: checked, and their schemas compiled once.
 *
 * @since 0.1.0
 */
import type * as Context from "effect/Context"
import * as Either from "effect/Either"
import * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"
import type * as Catalog from "../../catalog/Catalog.js"
import type * as Completion from "../../catalog/Completion.js"
import * as StringFields from "../../catalog/StringFields.js"
import * as JsonSchema from "../../protocol/JsonSchema.js"
import type { McpError } from "../../protocol/McpError.js"
import { invalidParams } from "../../protocol/McpError.js"
import type * as Mcp from "../../protocol/McpSchema.js"
import type * as McpPrompt from "../McpPrompt.js"

export interface Entry extends Catalog.Entry<Mcp.Prompt>, Completion.Completable {
  readonly prompt: McpPrompt.Any
  readonly names: ReadonlySet<string>
  /** Says which arguments are missing, or what is wrong with them. */
  readonly decode: (args: { readonly [name: string]: string }) => Either.Either<unknown, McpError>
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
  const decode = Schema.decodeUnknownEither(StringFields.struct(fields), { errors: "all", onExcessProperty: "error" })
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

/** Makes prompts ready, and says everything that is wrong with them, each with its name. */
export const compile = (
  prompts: ReadonlyArray<McpPrompt.Any>,
  services: Context.Context<unknown>
): Catalog.Compiled<Entry> => {
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
      scopes: prompt.scopes,
      services,
      names: new Set(args.map((argument) => argument.name)),
      decode: decoderOf(name, prompt.arguments, args),
      complete: new Map(Object.entries(prompt.complete)),
      literals: StringFields.literals(prompt.arguments)
    })
  }
  return { entries, problems }
}
