/**
 * Resources made ready to be served: checked, their templates taken apart and
 * their schemas compiled once.
 *
 * @since 0.1.0
 */
import type * as Context from "effect/Context"
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import type * as Catalog from "../../catalog/Catalog.js"
import type * as Completion from "../../catalog/Completion.js"
import * as StringFields from "../../catalog/StringFields.js"
import type * as Mcp from "../../protocol/McpSchema.js"
import type * as McpResource from "../McpResource.js"
import * as UriTemplate from "../UriTemplate.js"

export interface Direct extends Catalog.Entry<Mcp.Resource> {
  readonly _tag: "Direct"
  readonly resource: McpResource.McpResource<unknown>
}

export interface Patterned extends Catalog.Entry<Mcp.ResourceTemplate>, Completion.Completable {
  readonly _tag: "Patterned"
  readonly resource: McpResource.Template<unknown>
  readonly uriTemplate: UriTemplate.UriTemplate
  readonly decode: (values: { readonly [name: string]: string }) => Either.Either<unknown, unknown>
}

/** Kept by its URI or its template, whatever it is. */
export type Entry = Direct | Patterned

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

const nameProblems = (resource: McpResource.Template<unknown>, names: ReadonlyArray<string>): ReadonlyArray<string> => {
  const fields = resource.parameters === undefined ? names : Object.keys(resource.parameters)
  return [
    ...fields.filter((name) => !names.includes(name)).map((name) => `the parameter "${name}" is not in the template`),
    ...names.filter((name) => !fields.includes(name)).map((name) => `the variable "${name}" has no parameter`),
    ...Object.keys(resource.complete).filter((name) => !names.includes(name))
      .map((name) => `the completed "${name}" is not in the template`)
  ]
}

const compileResource = (
  resource: McpResource.McpResource<unknown>,
  services: Context.Context<unknown>
): Either.Either<Direct, ReadonlyArray<string>> => {
  const { scopes, size, uri } = resource
  const wrong = uriProblem(uri)
  const problems = [...(wrong === undefined ? [] : [wrong]), ...sharedProblems(resource)]
  return problems.length > 0 ? Either.left(problems) : Either.right({
    _tag: "Direct",
    resource,
    description: { uri, ...shown(resource), ...(size === undefined ? {} : { size }) },
    scopes,
    services
  })
}

const compileTemplate = (
  resource: McpResource.Template<unknown>,
  services: Context.Context<unknown>
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
    _tag: "Patterned",
    resource,
    description: { uriTemplate: resource.uriTemplate, ...shown(resource) },
    scopes: resource.scopes,
    services,
    uriTemplate: parsed.right,
    decode: resource.parameters === undefined
      ? Either.right
      : Schema.decodeUnknownEither(StringFields.struct(resource.parameters)),
    complete: new Map(Object.entries(resource.complete)),
    literals: resource.parameters === undefined ? new Map() : StringFields.literals(resource.parameters)
  })
}

/** Makes resources ready, and says everything that is wrong with them, each with its URI. */
export const compile = (
  resources: ReadonlyArray<McpResource.Any>,
  services: Context.Context<unknown>
): Catalog.Compiled<Entry> => {
  const entries = new Map<string, Entry>()
  const problems: Array<string> = []
  for (const resource of resources) {
    const isTemplate = resource._tag === "Template"
    const uri = isTemplate ? resource.uriTemplate : resource.uri
    const compiled: Either.Either<Entry, ReadonlyArray<string>> = isTemplate
      ? compileTemplate(resource, services)
      : compileResource(resource, services)
    const wrong = [
      ...(Either.isLeft(compiled) ? compiled.left : []),
      ...(entries.has(uri) ? [`the ${isTemplate ? "template" : "URI"} stands twice`] : [])
    ]
    problems.push(...wrong.map((problem) => `"${uri.slice(0, 100)}": ${problem}`))
    if (Either.isRight(compiled)) entries.set(uri, compiled.right)
  }
  return { entries, problems }
}
