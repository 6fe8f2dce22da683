/**
 * Chooses a layer for every contract by the environment: embedded defaults that
 * need no server and no key, or Postgres, Redis and model providers.
 */
import * as PgClient from "@effect/sql-pg/PgClient"
import * as PendingAsks from "causeway-mcp/ask/PendingAsks"
import * as RedisPendingAsks from "causeway-mcp/ask/RedisPendingAsks"
import * as Sealer from "causeway-mcp/auth/Sealer"
import * as LazyDocumentStore from "causeway-mcp/document/LazyDocumentStore"
import * as PgDocumentStore from "causeway-mcp/document/PgDocumentStore"
import * as Pglite from "causeway-mcp/document/Pglite"
import * as Retriever from "causeway-mcp/document/Retriever"
import * as Embedder from "causeway-mcp/embedding/Embedder"
import * as ProviderChain from "causeway-mcp/provider/ProviderChain"
import * as ProviderHttp from "causeway-mcp/provider/ProviderHttp"
import * as RedisSessionStore from "causeway-mcp/session/RedisSessionStore"
import * as SessionStore from "causeway-mcp/session/SessionStore"
import * as PgTaskStore from "causeway-mcp/task/PgTaskStore"
import * as TaskStore from "causeway-mcp/task/TaskStore"
import * as Config from "effect/Config"
import * as ConfigError from "effect/ConfigError"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"

/** An empty variable is an absent one. */
const optional = (name: string) =>
  Config.option(Config.redacted(name)).pipe(Config.map(Option.filter((value) => Redacted.value(value) !== "")))

const databaseUrl = optional("DATABASE_URL").pipe(
  Config.withDescription("Where documents are kept: postgres://user:password@host:port/database")
)

const redisUrl = optional("REDIS_URL").pipe(
  Config.withDescription("Where session history is kept: redis://host:port")
)

const dataDir = Config.string("DATA_DIR").pipe(
  Config.withDefault(""),
  // Empty, it would be the root of the disk.
  Config.map((directory) => directory === "" ? ".causeway" : directory),
  Config.withDescription("Where the embedded database keeps its files")
)

/** What was chosen, a line each, for the operator. */
const announce = (line: string) => Effect.logInfo(line)

/** A URL without its user and password. */
const whereOf = (url: URL): string => `${url.host}${url.pathname}`

const parse = (name: string, url: Redacted.Redacted, protocols: ReadonlyArray<string>) => {
  const value = Redacted.value(url)
  const parsed = URL.canParse(value) ? new URL(value) : undefined
  return parsed !== undefined && protocols.includes(parsed.protocol)
    ? Effect.succeed(parsed)
    : Effect.fail(ConfigError.InvalidData([name], `write a URL that begins with ${protocols.join("// or ")}//`))
}

const postgres = (url: Redacted.Redacted) =>
  Effect.gen(function*() {
    const where = whereOf(yield* parse("DATABASE_URL", url, ["postgres:", "postgresql:"]))
    yield* announce(`documents: Postgres at ${where}`)
    const store = PgDocumentStore.layer.pipe(
      Layer.provide(PgClient.layer({ url, connectTimeout: "3 seconds", applicationName: "causeway" }))
    )
    return LazyDocumentStore.layer(store, {
      onFailure: (error) =>
        Effect.logWarning(
          `documents: Postgres at ${where} did not open (${error.message}); search is unavailable until it does`
        )
    })
  })

const embedded = Effect.gen(function*() {
  const directory = yield* dataDir
  yield* announce(`documents: PGlite, embedded, in ${directory}/documents`)
  return PgDocumentStore.layer.pipe(Layer.provide(Pglite.layer({ dataDir: `${directory}/documents` })))
})

/** Whether documents are kept in this process's own database. */
export const isEmbedded = Effect.map(databaseUrl, Option.isNone)

/** Keeps and finds passages: Postgres when `DATABASE_URL` is set, PGlite under `DATA_DIR` otherwise. */
export const Documents = Layer.unwrapEffect(
  Effect.flatMap(databaseUrl, (url) => Option.isSome(url) ? postgres(url.value) : embedded)
).pipe(Layer.provideMerge(Embedder.layerHash))

/** Keeps session history: Redis when `REDIS_URL` is set, memory otherwise. */
export const Sessions = Layer.unwrapEffect(
  Effect.gen(function*() {
    const url = yield* redisUrl
    if (Option.isNone(url)) {
      yield* announce("sessions: memory, forgotten when the server stops")
      return SessionStore.layerMemory
    }
    const where = whereOf(yield* parse("REDIS_URL", url.value, ["redis:", "rediss:"]))
    yield* announce(`sessions: Redis at ${where}`)
    return RedisSessionStore.layer({ url: url.value })
  })
)

const sessionSecrets = optional("SESSION_SECRETS").pipe(
  Config.withDescription(
    "Seals the sessions and questions that clients carry; 32 bytes or more, the same for all instances. Several, " +
      "separated by commas, while one replaces another: the first seals, all open"
  )
)

/** Seals with `SESSION_SECRETS`, so that every instance can read what any of them sealed; otherwise for this process alone. */
export const sealer = Effect.gen(function*() {
  const secrets = yield* sessionSecrets
  if (Option.isNone(secrets)) return yield* Sealer.random
  const [first = "", ...older] = Redacted.value(secrets.value).split(",").map((secret) => secret.trim())
  return yield* Sealer.make([Redacted.make(first), ...older.map((secret) => Redacted.make(secret))])
})

/** Brings answers of older clients to the instance that asked: over Redis when `REDIS_URL` is set. */
export const Asks = Layer.unwrapEffect(
  Effect.map(
    redisUrl,
    (url) => Option.isSome(url) ? RedisPendingAsks.layer({ url: url.value }) : PendingAsks.layerMemory
  )
)

/** Keeps long calls: in Postgres when `DATABASE_URL` is set and it answers, in memory otherwise. */
export const Tasks = Layer.unwrapEffect(
  Effect.gen(function*() {
    const url = yield* databaseUrl
    if (Option.isNone(url)) return TaskStore.layerMemory
    yield* parse("DATABASE_URL", url.value, ["postgres:", "postgresql:"])
    return PgTaskStore.layer.pipe(
      Layer.provide(
        PgClient.layer({ url: url.value, connectTimeout: "3 seconds", maxConnections: 2, applicationName: "causeway" })
      ),
      Layer.catchAll((error) =>
        Layer.unwrapEffect(Effect.as(
          Effect.logWarning(
            `tasks: Postgres did not open (${error.message}); until the next start they are kept in memory, ` +
              "where only this instance knows them"
          ),
          TaskStore.layerMemory
        ))
      )
    )
  })
)

/** Every contract the tools need. */
export const Stores = Retriever.layer().pipe(Layer.provideMerge(Layer.merge(Documents, Sessions)))

/** Asks models: a gateway or providers when they are configured, the extractive model otherwise. */
export const Model = ProviderChain.layerConfig.pipe(
  Layer.tap((context) => announce(Context.get(context, ProviderChain.ProviderChain).description)),
  Layer.provide(ProviderHttp.layer())
)
