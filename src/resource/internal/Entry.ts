/**
 * Resources made ready to be served: checked, their templates taken apart and
 * their schemas compiled once.
 *
 * @since 0.1.0
 */
import type * as Context from "effect/Context"
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import * as AST from "effect/SchemaAST"
import type * as Mcp from "../../protocol/McpSchema.js"
import type * as McpResource from "../McpResource.js"
import * as UriTemplate from "../UriTemplate.js"

export interface Direct {
  readonly resource: McpResource.McpResource<unknown>
  readonly description: Mcp.Resource
  /** The services that its handler needs. */
  readonly context: Context.Context<unknown>
}

export interface Patterned {
  readonly resource: McpResource.Template<unknown>
  readonly description: Mcp.ResourceTemplate
  readonly context: Context.Context<unknown>
  readonly uriTemplate: UriTemplate.UriTemplate
  readonly decode: (values: { readonly [name: string]: string }) => Either.Either<unknown, unknown>
  readonly complete: ReadonlyMap<string, McpResource.Complete<unknown, unknown>>
  /** The literals that a variable may be, for those whose schema holds nothing else. */
  readonly literals: ReadonlyMap<string, ReadonlyArray<string>>
}

export interface Entries {
  readonly directs: ReadonlyMap<string, Direct>
  readonly patterns: ReadonlyMap<string, Patterned>
}

const scheme = /^[A-Za-z][A-Za-z0-9+.-]*:/u
const invalidCharacter = /[^\x21-\x7e]|["<>\\^`{|}]/u

const uriProblem = (uri: string): string | undefined => {
  if (uri.length > UriTemplate.maxUriLength) return `a URI has at most ${UriTemplate.maxUriLength} characters`
  if (!scheme.test(uri)) return "a URI must be absolute: it begins with a scheme, as in notes://all"
  if (invalidCharacter.test(uri)) {
    return "a URI holds no spaces, controls, braces or letters beyond ASCII; percent-encode them"
  }
  return uri.includes("#") ? "the URI of a resource has no fragment" : undefined
}

const sharedProblems = (resource: McpResource.Any): ReadonlyArray<string> => [
  ...(resource.name.trim() === "" ? ["a resource must have a name"] : []),
  ...(Number.isInteger(resource.cache.ttlMs) && resource.cache.ttlMs >= 0
    ? []
    : ["the cache's ttlMs must be a whole number of milliseconds, 0 or more"]),
  ...(resource.cache.scope === "public" && resource.scopes.length > 0
    ? ["what needs scopes cannot be cached as public: anybody could be served it"]
    : [])
]

const shown = ({ annotations, description, icons, mimeType, name, title }: McpResource.Any) => ({
  name,
  ...(title === undefined ? {} : { title }),
  ...(description === undefined ? {} : { description }),
  ...(mimeType === undefined ? {} : { mimeType }),
  ...(annotations === undefined ? {} : { annotations }),
  ...(icons.length === 0 ? {} : { icons })
})

/** The strings that a type may be; empty when it may be any other. */
const literalsOf = (ast: AST.AST): ReadonlyArray<string> => {
  if (AST.isLiteral(ast)) return typeof ast.literal === "string" ? [ast.literal] : []
  if (!AST.isUnion(ast)) return []
  const members = ast.types.filter((member) => !AST.isUndefinedKeyword(member)).map(literalsOf)
  return members.some((member) => member.length === 0) ? [] : members.flat()
}

const fieldLiterals = (fields: Schema.Struct.Fields): ReadonlyMap<string, ReadonlyArray<string>> =>
  new Map(
    AST.getPropertySignatures(AST.encodedAST(Schema.Struct(fields).ast)).map((property) => [
      String(property.name),
      literalsOf(property.type)
    ])
  )

/** `McpResource.template` has checked that the fields are encoded as strings and need no services. */
const decoderOf = (fields: Schema.Struct.Fields): Patterned["decode"] =>
  Schema.decodeUnknownEither(Schema.Struct(fields) as unknown as Schema.Schema<unknown, unknown>)

const nameProblems = (resource: McpResource.Template<unknown>, names: ReadonlyArray<string>): ReadonlyArray<string> => {
  const fields = resource.parameters === undefined ? names : Object.keys(resource.parameters)
  return [
    ...fields.filter((name) => !names.includes(name)).map((name) => `the parameter "${name}" is not in the template`),
    ...names.filter((name) => !fields.includes(name)).map((name) => `the variable "${name}" has no parameter`),
    ...Object.keys(resource.complete).filter((name) => !names.includes(name))
      .map((name) => `the completed "${name}" is not in the template`)
  ]
}

const compileTemplate = (
  resource: McpResource.Template<unknown>,
  context: Context.Context<unknown>
): Either.Either<Patterned, ReadonlyArray<string>> => {
  const parsed = UriTemplate.parse(resource.uriTemplate)
  if (Either.isLeft(parsed)) return Either.left([parsed.left, ...sharedProblems(resource)])
  const { names } = parsed.right
  const fixed = resource.uriTemplate.split("{", 1)[0] ?? ""
  const problems = [
    ...(scheme.test(fixed) ? [] : ["a template must begin with a scheme, as in notes://{id}"]),
    ...(resource.uriTemplate.includes("{#") ? ["the URI of a resource has no fragment"] : []),
    ...nameProblems(resource, names),
    ...sharedProblems(resource)
  ]
  return problems.length > 0 ? Either.left(problems) : Either.right({
    resource,
    description: { uriTemplate: resource.uriTemplate, ...shown(resource) },
    context,
    uriTemplate: parsed.right,
    decode: resource.parameters === undefined ? Either.right : decoderOf(resource.parameters),
    complete: new Map(Object.entries(resource.complete)),
    literals: resource.parameters === undefined ? new Map() : fieldLiterals(resource.parameters)
  })
}

/** Makes resources ready; or says everything that is wrong with them, each with its URI. */
export const compile = (
  resources: ReadonlyArray<McpResource.Any>,
  context: Context.Context<unknown>
): Either.Either<Entries, readonly [string, ...ReadonlyArray<string>]> => {
  const directs = new Map<string, Direct>()
  const patterns = new Map<string, Patterned>()
  const problems: Array<string> = []
  for (const resource of resources) {
    const uri = resource._tag === "Resource" ? resource.uri : resource.uriTemplate
    const told = (list: ReadonlyArray<string>) =>
      problems.push(...list.map((problem) => `"${uri.slice(0, 100)}": ${problem}`))
    if (resource._tag === "Resource") {
      const wrong = uriProblem(uri)
      told([...(wrong === undefined ? [] : [wrong]), ...sharedProblems(resource)])
      if (directs.has(uri)) told(["the URI stands twice"])
      const description = { uri, ...shown(resource), ...(resource.size === undefined ? {} : { size: resource.size }) }
      directs.set(uri, { resource, description, context })
    } else {
      const compiled = compileTemplate(resource, context)
      if (patterns.has(uri)) told(["the template stands twice"])
      if (Either.isRight(compiled)) patterns.set(uri, compiled.right)
      else told(compiled.left)
    }
  }
  const [first, ...rest] = problems
  return first === undefined ? Either.right({ directs, patterns }) : Either.left([first, ...rest])
}
