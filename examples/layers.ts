/**
 * Chooses a layer for every contract by the environment: embedded defaults that
 * need no server and no key, or Postgres, Redis and model providers.
 */
import * as PgClient from "@effect/sql-pg/PgClient"
import * as PendingAsks from "causeway-mcp/ask/PendingAsks"
import * as RedisPendingAsks from "causeway-mcp/ask/RedisPendingAsks"
import * as ApiKeys from "causeway-mcp/auth/ApiKeys"
import * as Authenticator from "causeway-mcp/auth/Authenticator"
import * as JwtAuthenticator from "causeway-mcp/auth/JwtAuthenticator"
import * as Sealer from "causeway-mcp/auth/Sealer"
import * as DocumentStore from "causeway-mcp/document/DocumentStore"
import * as ProviderChain from "causeway-mcp/provider/ProviderChain"
import * as ProviderHttp from "causeway-mcp/provider/ProviderHttp"
import * as RedisSessionStore from "causeway-mcp/session/RedisSessionStore"
import * as SessionStore from "causeway-mcp/session/SessionStore"
import * as PgTaskStore from "causeway-mcp/task/PgTaskStore"
import * as TaskStore from "causeway-mcp/task/TaskStore"
import * as Metered from "causeway-mcp/telemetry/Metered"
import * as Config from "effect/Config"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import { Documents, makeSearch } from "./documents.js"
import { announce, databaseUrl, optional, parse, redisCluster, redisUrl, text, whereOf } from "./settings.js"

/** Keeps session history: Redis when `REDIS_URL` is set, memory otherwise. */
export const Sessions = Layer.unwrapEffect(
  Effect.gen(function*() {
    const url = yield* redisUrl
    if (Option.isNone(url)) {
      yield* announce("sessions: memory, forgotten when the server stops")
      return SessionStore.layerMemory
    }
    const where = whereOf(yield* parse("REDIS_URL", url.value, ["redis:", "rediss:"]))
    const { cluster, clusterNodes } = yield* redisCluster
    yield* announce(`sessions: Redis at ${where}${cluster ? " and its cluster" : ""}`)
    return RedisSessionStore.layer({ url: url.value, cluster, clusterNodes })
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

const clientAddressHeader = text("CLIENT_ADDRESS_HEADER").pipe(
  Config.map(Option.map((name) => name.trim().toLowerCase())),
  Config.withDescription("The header in which the proxy in front writes the client's address; wrong without one")
)

// #region authentication
/** Keys beside tokens: each is asked what it knows. */
const KeysOrTokens = Layer.scoped(
  Authenticator.Authenticator,
  Effect.gen(function*() {
    const keys = yield* Layer.build(ApiKeys.layerConfig)
    const tokens = yield* Layer.build(JwtAuthenticator.layerConfig)
    return Authenticator.orElse(
      Context.get(keys, Authenticator.Authenticator),
      Context.get(tokens, Authenticator.Authenticator)
    )
  })
)

const Unguessable = Layer.effect(
  Authenticator.Authenticator,
  Effect.gen(function*() {
    const header = Option.getOrUndefined(yield* clientAddressHeader)
    const limited = Authenticator.withGuessLimit({
      peerOf: (presented) => header === undefined ? presented.peer : presented.header(header)
    })
    return yield* limited(yield* Authenticator.Authenticator)
  })
)

/** Asks callers over HTTP who they are: by API keys, access tokens or either, as far as they are set; nobody otherwise. */
export const Authentication = Layer.unwrapEffect(
  Effect.gen(function*() {
    const hasKeys = yield* ApiKeys.isConfigured
    const hasTokens = yield* JwtAuthenticator.isConfigured
    if (!hasKeys && !hasTokens) return Layer.empty
    yield* announce(
      `callers: ${[hasKeys ? "API keys" : "", hasTokens ? "access tokens" : ""].filter(Boolean).join(" or ")}`
    )
    const known = hasKeys && hasTokens ? KeysOrTokens : hasKeys ? ApiKeys.layerConfig : JwtAuthenticator.layerConfig
    return Unguessable.pipe(Layer.provide(known))
  })
)
// #endregion authentication

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

// #region metered
/** Stores and the embedder are timed, each method by itself. */
const Kept = Layer.merge(
  Documents.pipe(Metered.layer(DocumentStore.DocumentStore, "documents")),
  Sessions.pipe(Metered.layer(SessionStore.SessionStore, "sessions"))
)
// #endregion metered

/** Every contract the tools need. A search that is set up wrongly is refused before anything is opened. */
export const Stores = Layer.unwrapEffect(
  Effect.map(makeSearch, Layer.provideMerge(Kept))
)

/** Asks models: a gateway or providers when they are configured, the extractive model otherwise. */
export const Model = ProviderChain.layerConfig.pipe(
  Layer.tap((context) => announce(Context.get(context, ProviderChain.ProviderChain).description)),
  Layer.provide(ProviderHttp.layer())
)
