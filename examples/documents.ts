/**
 * Chooses how documents are embedded, kept and searched, by the environment:
 * embedded defaults that need no server and no key, or Postgres with replicas
 * and an endpoint for embeddings.
 */
import * as PgClient from "@effect/sql-pg/PgClient"
import type * as SqlClient from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import * as Calibration from "causeway-mcp/document/Calibration"
import * as DocumentStore from "causeway-mcp/document/DocumentStore"
import * as LazyDocumentStore from "causeway-mcp/document/LazyDocumentStore"
import * as MirrorDocumentStore from "causeway-mcp/document/MirrorDocumentStore"
import * as PgDocumentStore from "causeway-mcp/document/PgDocumentStore"
import * as PgListener from "causeway-mcp/document/PgListener"
import * as Pglite from "causeway-mcp/document/Pglite"
import * as PgRegions from "causeway-mcp/document/PgRegions"
import * as Retriever from "causeway-mcp/document/Retriever"
import * as CachingEmbedder from "causeway-mcp/embedding/CachingEmbedder"
import { Embedder } from "causeway-mcp/embedding/Embedder"
import * as SifEmbedder from "causeway-mcp/embedding/SifEmbedder"
import type * as Llm from "causeway-mcp/llm/Llm"
import * as LlmReranker from "causeway-mcp/provider/LlmReranker"
import * as OpenAiEmbedder from "causeway-mcp/provider/OpenAiEmbedder"
import * as ProviderHttp from "causeway-mcp/provider/ProviderHttp"
import * as Metered from "causeway-mcp/telemetry/Metered"
import * as Config from "effect/Config"
import * as ConfigError from "effect/ConfigError"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as ParseResult from "effect/ParseResult"
import * as Redacted from "effect/Redacted"
import { readFile } from "node:fs/promises"
import { announce, databaseUrl, mirror, optional, parse, text, whereOf } from "./settings.js"

const embeddings = Config.all({
  url: text("EMBEDDINGS_URL").pipe(
    Config.withDescription("An OpenAI-compatible endpoint for embeddings, without /embeddings")
  ),
  apiKey: optional("EMBEDDINGS_KEY"),
  model: Config.string("EMBEDDINGS_MODEL").pipe(Config.withDefault("text-embedding-3-small")),
  dimensions: Config.integer("EMBEDDINGS_DIMENSIONS").pipe(Config.withDefault(1536))
})

/** Who set the variable has not heard of the option. */
const variables: { readonly [option: string]: string } = {
  baseUrl: "EMBEDDINGS_URL",
  apiKey: "EMBEDDINGS_KEY",
  model: "EMBEDDINGS_MODEL",
  dimensions: "EMBEDDINGS_DIMENSIONS"
}

/** Makes vectors: `EMBEDDINGS_URL` when it is set, the embedded table of words otherwise. */
export const Embedding = Layer.unwrapEffect(
  Effect.gen(function*() {
    const { apiKey, dimensions, model, url } = yield* embeddings
    if (Option.isNone(url)) return SifEmbedder.layerOrHash
    if (Option.isNone(apiKey)) {
      return yield* Effect.fail(
        ConfigError.MissingData(["EMBEDDINGS_KEY"], "EMBEDDINGS_URL is set, and its key is missing")
      )
    }
    const provider = (yield* parse("EMBEDDINGS_URL", Redacted.make(url.value), ["https:", "http:"])).host
    yield* announce(`embeddings: ${model} at ${provider}`)
    const remote = OpenAiEmbedder.layer({ provider, model, dimensions, baseUrl: url.value, apiKey: apiKey.value }).pipe(
      Layer.mapError((error) =>
        ConfigError.isInvalidData(error)
          ? ConfigError.InvalidData(error.path.map((option) => variables[option] ?? option), error.message)
          : error
      )
    )
    return CachingEmbedder.layer(remote.pipe(Layer.provide(ProviderHttp.layer())))
  })
)

const dataDir = Config.string("DATA_DIR").pipe(
  Config.withDefault(""),
  // Empty, it would be the root of the disk.
  Config.map((directory) => directory === "" ? ".causeway" : directory),
  Config.withDescription("Where the embedded database keeps its files")
)

const postgres = (url: Redacted.Redacted) =>
  PgClient.layer({ url, connectTimeout: "3 seconds", applicationName: "causeway" })

const protocols = ["postgres:", "postgresql:"]

/** The database itself, for programs that look after it: Postgres when `DATABASE_URL` is set, PGlite otherwise. */
export const Database = Layer.unwrapEffect(
  Effect.gen(function*() {
    const url = yield* databaseUrl
    const database: Layer.Layer<SqlClient.SqlClient, Pglite.PgliteError | SqlError> = Option.isNone(url)
      ? Pglite.layer({ dataDir: `${yield* dataDir}/documents` })
      : postgres(url.value)
    if (Option.isSome(url)) yield* parse("DATABASE_URL", url.value, protocols)
    return database
  })
)

const replicaUrls = optional("REPLICA_URLS").pipe(
  Config.withDescription("Read replicas of DATABASE_URL, the nearest first: name=postgres://…, separated by commas")
)

/** `name=postgres://…` between commas. */
const replicas = Effect.flatMap(replicaUrls, (urls) =>
  Effect.forEach(
    Option.match(urls, { onNone: (): Array<string> => [], onSome: (all) => Redacted.value(all).split(",") }),
    (entry, n) => {
      const at = entry.indexOf("=")
      const name = entry.slice(0, at).trim()
      const url = Redacted.make(entry.slice(at + 1).trim())
      return at < 1 || name === ""
        ? Effect.fail(ConfigError.InvalidData(["REPLICA_URLS"], `entry ${n + 1} is not of the form name=postgres://…`))
        : Effect.as(parse("REPLICA_URLS", url, protocols), { name, client: postgres(url) })
    }
  ))

type Store = Layer.Layer<
  DocumentStore.DocumentStore,
  DocumentStore.DocumentStoreError | Pglite.PgliteError | ConfigError.ConfigError,
  Embedder
>

/** The server's code or the system's, such as `28P01` or `ECONNREFUSED`: it tells a wrong password from a server that is down, and names no secret. */
const codeOf = (error: unknown): string | undefined => {
  let at = error
  for (let depth = 0; depth < 6 && typeof at === "object" && at !== null; depth++) {
    if ("code" in at && typeof at.code === "string") return at.code
    at = "cause" in at ? at.cause : "reason" in at ? at.reason : undefined
  }
  return undefined
}

const onServer = (url: Redacted.Redacted): Effect.Effect<Store, ConfigError.ConfigError> =>
  Effect.gen(function*() {
    const where = whereOf(yield* parse("DATABASE_URL", url, protocols))
    const copies = yield* replicas
    const names = copies.map(({ name }) => name).join(", ")
    if (new Set(["primary", ...copies.map(({ name }) => name)]).size <= copies.length) {
      const sentence = `the names ${names} are not all different, and none of them may be primary`
      return yield* Effect.fail(ConfigError.InvalidData(["REPLICA_URLS"], sentence))
    }
    yield* announce(`documents: Postgres at ${where}${names === "" ? "" : `, replicas ${names}`}`)
    const listener = PgListener.layer({ url })
    if (copies.length > 0) {
      const primary = { name: "primary", client: postgres(url) }
      return PgRegions.layer({ primary, replicas: copies }).pipe(Layer.provide(listener))
    }
    const one = Effect.map(PgListener.PgListener, ({ ping }) =>
      LazyDocumentStore.layer(PgDocumentStore.layer().pipe(Layer.provide(postgres(url))), {
        isAlive: ping,
        onFailure: (error) => {
          const code = codeOf(error)
          const why = code === undefined ? error.message : `${error.message}, ${code}`
          return Effect.logWarning(
            `documents: Postgres at ${where} did not open (${why}); search is unavailable until it does`
          )
        }
      }))
    return Layer.unwrapEffect(one).pipe(Layer.provide(listener))
  })

const embedded: Effect.Effect<Store, ConfigError.ConfigError> = Effect.gen(function*() {
  if (Option.isSome(yield* replicaUrls)) {
    return yield* Effect.fail(
      ConfigError.MissingData(["DATABASE_URL"], "REPLICA_URLS is set, and their primary is missing")
    )
  }
  const directory = yield* dataDir
  yield* announce(`documents: PGlite, embedded, in ${directory}/documents`)
  return PgDocumentStore.layer().pipe(Layer.provide(Pglite.layer({ dataDir: `${directory}/documents` })))
})

/** Whether documents are kept in this process's own database. */
export const isEmbedded = Effect.map(databaseUrl, Option.isNone)

/** The same, searched in memory when `MIRROR` is `true`. */
const mirrored = (store: Store) =>
  Effect.gen(function*() {
    if (!(yield* mirror)) return store
    if (Option.isSome(yield* replicaUrls)) {
      const sentence = "true goes with DATABASE_URL alone: replicas may not have yet what they are to be read for"
      return yield* Effect.fail(ConfigError.InvalidData(["MIRROR"], sentence))
    }
    yield* announce("documents: tenants that are searched are copied to memory")
    return MirrorDocumentStore.layer(store)
  })

/** Keeps and finds passages: Postgres when `DATABASE_URL` is set, PGlite under `DATA_DIR` otherwise. */
export const Documents = Layer.unwrapEffect(
  Effect.flatMap(databaseUrl, (url) => Effect.flatMap(Option.isSome(url) ? onServer(url.value) : embedded, mirrored))
).pipe(Layer.provideMerge(Embedding.pipe(Metered.layer(Embedder, "embedder"))))

const corpus = text("CORPUS").pipe(Config.withDescription("The name of the documents, as the calibration knows it"))

const calibrationPath = text("CALIBRATION").pipe(Config.withDescription("A file that npm run calibrate wrote"))

const calibrationFrom = (path: string) =>
  Effect.tryPromise({
    try: () => readFile(path, "utf8"),
    catch: () =>
      ConfigError.InvalidData(
        ["CALIBRATION"],
        `the file ${path} cannot be read; write the path of one that npm run calibrate wrote, or leave it out`
      )
  }).pipe(
    Effect.flatMap(Calibration.fromJson),
    Effect.catchTag("ParseError", (error) => {
      const issue = ParseResult.ArrayFormatter.formatErrorSync(error)[0]
      const where = issue === undefined || issue.path.length === 0 ? "" : ` at ${issue.path.join(".")}`
      const sentence = `the file ${path} is none that npm run calibrate wrote${where}: ${
        issue?.message ?? "it is no JSON"
      }; write one with npm run calibrate, or leave it out`
      return Effect.fail(ConfigError.InvalidData(["CALIBRATION"], sentence))
    })
  )

/**
 * Tells the operator at once, and not the first agent, when the vectors that are
 * stored are of another embedder. A store that does not answer says so itself.
 */
const Agreement = Layer.effectDiscard(
  Effect.flatMap(DocumentStore.DocumentStore, (store) =>
    // By words alone: nothing is embedded for it.
    Effect.catchAll(store.search({ tenant: "default", text: "vectors", limit: 1 }), ({ reason }) =>
      reason._tag === "Incompatible"
        ? Effect.logError(`documents: ${reason.message}; search is refused until then. To reindex: npm run reindex`)
        : Effect.void))
)

const rerank = text("RERANK").pipe(
  Config.withDescription("on to have a model judge the best passages again"),
  Effect.flatMap((setting) => {
    const value = Option.getOrElse(setting, () => "off")
    return value === "on" || value === "off"
      ? Effect.succeed(value === "on")
      : Effect.fail(ConfigError.InvalidData(["RERANK"], "write on, off, or nothing, which is off"))
  })
)

/**
 * Asks in words, with `CORPUS` and `CALIBRATION` where confidences were fitted. With `RERANK` on, a model judges the
 * best passages again: finer, slower, and paid for. Reads its settings when it is made, before what it stands on is
 * opened.
 */
export const makeSearch = Effect.gen(function*() {
  const isReranking = yield* rerank
  const path = yield* calibrationPath
  const model = Option.isNone(path) ? undefined : yield* calibrationFrom(path.value)
  const retriever = Retriever.layer({
    // A file that was fitted on one corpus is given for that one.
    corpus: Option.getOrUndefined(yield* corpus) ?? model?.corpus,
    calibrations: model === undefined ? [] : [model]
  })
  const reranking: Layer.Layer<never, never, Llm.Llm> = isReranking ? LlmReranker.layer() : Layer.empty
  return Layer.merge(retriever, Agreement).pipe(Layer.provide(reranking))
})
