/**
 * Knows callers by keys that the operator hands out, of which only hashes are
 * kept.
 *
 * @since 0.1.0
 */
import type * as Clock from "effect/Clock"
import * as Config from "effect/Config"
import type * as ConfigError from "effect/ConfigError"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { ArrayFormatter } from "effect/ParseResult"
import * as Schema from "effect/Schema"
import { randomBytes, timingSafeEqual } from "node:crypto"
import type { Presented, Refusal } from "./Authenticator.js"
import * as Authenticators from "./Authenticator.js"
import { Authenticator, Invalid, Missing } from "./Authenticator.js"
import * as Bearer from "./internal/Bearer.js"
import { sha256 } from "./internal/Digest.js"
import { nonEmpty } from "./internal/Settings.js"
import * as WatchedFile from "./internal/WatchedFile.js"
import * as Principal from "./Principal.js"

/**
 * One key. `hash` is the SHA-256 of the key in hexadecimal: keys are random and
 * long, so no slow hash is needed.
 *
 * @since 0.1.0
 * @category schemas
 */
export const ApiKey = Schema.Struct({
  hash: Schema.String.pipe(Schema.pattern(/^[0-9a-f]{64}$/)),
  /** The principal's id, and what stands in the audit. */
  id: Schema.NonEmptyString,
  tenant: Schema.optionalWith(Schema.NonEmptyString, { exact: true }),
  scopes: Schema.Array(Schema.NonEmptyString),
  /** ISO 8601; the key does not do from then on. */
  expiresAt: Schema.optionalWith(Schema.String, { exact: true }),
  /** Limits of this key's own, which hold for all tools together. */
  limits: Schema.optionalWith(
    Schema.Array(Schema.Struct({
      limit: Schema.Positive,
      windowSeconds: Schema.Positive,
      burst: Schema.optionalWith(Schema.Positive, { exact: true })
    })),
    { exact: true }
  )
})

/**
 * @since 0.1.0
 * @category models
 */
export interface ApiKey extends Schema.Schema.Type<typeof ApiKey> {}

/**
 * The keys cannot be used: which one, and why.
 *
 * @since 0.1.0
 * @category errors
 */
export class InvalidKeys extends Schema.TaggedError<InvalidKeys>("causeway/ApiKeys/InvalidKeys")("InvalidKeys", {
  problems: Schema.NonEmptyArray(Schema.String)
}) {
  override get message(): string {
    return `The API keys cannot be used: ${this.problems.join("; ")}`
  }
}

const wrong: Exit.Exit<never, Invalid> = Exit.fail(new Invalid({ description: "the API key is not valid" }))
const missing: Exit.Exit<never, Missing> = Exit.fail(new Missing())

const mostCharacters = 512

const decode = Schema.decodeUnknownEither(ApiKey, { errors: "all", onExcessProperty: "error" })

const isMoment = (text: string): boolean =>
  /^\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:\d{2}))?$/u.test(text) &&
  !Number.isNaN(Date.parse(text)) &&
  // The 30th of February is otherwise taken for the 2nd of March.
  new Date(text.slice(0, 10)).getUTCDate() === Number(text.slice(8, 10))

/** What is wrong with one key; says nothing of its hash. */
const faultsOf = (key: unknown): ReadonlyArray<string> => {
  const decoded = decode(key)
  if (Either.isLeft(decoded)) {
    const issues = ArrayFormatter.formatErrorSync(decoded.left)
    return [...new Set(issues.map(({ path }) => path.length === 0 ? "is no key" : `${String(path[0])} does not do`))]
  }
  const { expiresAt } = decoded.right
  return expiresAt === undefined || isMoment(expiresAt)
    ? []
    : ["expiresAt is not a date, or a time with its zone, of ISO 8601"]
}

const repeated = (values: ReadonlyArray<string>): ReadonlySet<string> => {
  const seen = new Set<string>()
  return new Set(values.filter((value) => seen.has(value) || !seen.add(value)))
}

const problemsOf = (keys: ReadonlyArray<unknown>): ReadonlyArray<string> =>
  keys.flatMap((key, index) => faultsOf(key).map((fault) => `key ${index + 1}: ${fault}`))

interface Known {
  /** The entry as JSON: whether it has changed. */
  readonly text: string
  readonly digest: Buffer
  readonly expiresAt: number
  readonly principal: Principal.Principal
  readonly verdict: Exit.Exit<Principal.Principal>
}

interface Table {
  /** By the first bytes of the hash, which nobody can aim at; two keys may share them. */
  readonly places: ReadonlyMap<string, ReadonlyArray<Known>>
  readonly byHash: ReadonlyMap<string, Known>
}

const placeOf = (hash: string): string => hash.slice(0, 8)

const knownOf = (key: ApiKey, text: string): Known => {
  const { expiresAt, hash, id, limits, scopes, tenant } = key
  const end = expiresAt === undefined ? undefined : Date.parse(expiresAt)
  const principal = Principal.make({ id, tenant, scopes, limits, expiresAt: end })
  const verdict = Exit.succeed(principal)
  return { text, digest: Buffer.from(hash, "hex"), expiresAt: end ?? Infinity, principal, verdict }
}

/** What has not changed since `before` is the same object, by which its streams are known. */
const compile = (keys: ReadonlyArray<ApiKey>, before?: Table): Either.Either<Table, InvalidKeys> => {
  const [problem, ...more] = [
    ...problemsOf(keys),
    ...[...repeated(keys.map(({ hash }) => hash))].map(() => "two keys have the same hash"),
    ...[...repeated(keys.map(({ id }) => id))].map((id) => `two keys have the id ${JSON.stringify(id)}`)
  ]
  if (problem !== undefined) return Either.left(new InvalidKeys({ problems: [problem, ...more] }))
  const places = new Map<string, Array<Known>>()
  const byHash = new Map<string, Known>()
  for (const key of keys) {
    const text = JSON.stringify(key)
    const old = before?.byHash.get(key.hash)
    const known = old?.text === text ? old : knownOf(key, text)
    const place = placeOf(key.hash)
    const found = places.get(place)
    if (found === undefined) places.set(place, [known])
    else found.push(known)
    byHash.set(key.hash, known)
  }
  return Either.right({ places, byHash })
}

/** Compared with where no key stands, so that it takes as long. */
const nobody: ReadonlyArray<Known> = [
  { ...knownOf({ hash: "0".repeat(64), id: "nobody", scopes: [] }, ""), expiresAt: -Infinity }
]

const authenticating =
  (table: () => Table, clock: Clock.Clock) => (presented: Presented): Exit.Exit<Principal.Principal, Refusal> => {
    const key = Bearer.tokenOf(presented.authorization) ?? presented.header("x-api-key")
    if (key === undefined || key === "") return missing
    if (key.length > mostCharacters) return wrong
    const hash = sha256(key)
    const digest = Buffer.from(hash, "hex")
    let verdict: Exit.Exit<Principal.Principal, Refusal> = wrong
    for (const known of table().places.get(placeOf(hash)) ?? nobody) {
      const isEqual = timingSafeEqual(known.digest, digest)
      if (isEqual && known.expiresAt > clock.unsafeCurrentTimeMillis()) verdict = known.verdict
    }
    return verdict
  }

const serve = (table: () => Table): Effect.Effect<Context.Tag.Service<Authenticator>> =>
  Effect.map(Effect.clock, (clock) => Authenticators.make(authenticating(table, clock)))

/**
 * Makes the authenticator. Every key is compared in constant time; a wrong, an
 * unknown and an expired key are refused in the same words. Takes
 * `Authorization: Bearer KEY` and `X-API-Key: KEY`. Fails when a hash or an id
 * stands twice.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (
  keys: ReadonlyArray<ApiKey>
): Effect.Effect<Context.Tag.Service<Authenticator>, InvalidKeys> =>
  Effect.suspend(() => Effect.flatMap(compile(keys), (table) => serve(() => table)))

/**
 * A new key, 32 random bytes as `cw_` and base64url, and its hash: what
 * `npm run key` prints.
 *
 * @since 0.1.0
 * @category constructors
 */
export const generate: Effect.Effect<{ readonly key: string; readonly hash: string }> = Effect.sync(() => {
  const key = `cw_${randomBytes(32).toString("base64url")}`
  return { key, hash: sha256(key) }
})

/**
 * @since 0.1.0
 * @category layers
 */
export const layer = (keys: ReadonlyArray<ApiKey>): Layer.Layer<Authenticator, InvalidKeys> =>
  Layer.effect(Authenticator, make(keys))

const settings = Config.all({ keys: nonEmpty("API_KEYS"), file: nonEmpty("API_KEYS_FILE") })

const refuse = (problem: string): InvalidKeys => new InvalidKeys({ problems: [problem] })

const parse = (text: string, before?: Table): Either.Either<Table, InvalidKeys> => {
  let keys: unknown
  try {
    keys = JSON.parse(text)
  } catch {
    return Either.left(refuse("they are not JSON"))
  }
  if (!Array.isArray(keys)) return Either.left(refuse("they are not a list"))
  const [problem, ...more] = problemsOf(keys)
  return problem === undefined
    // What has no fault is a key.
    ? compile(keys as ReadonlyArray<ApiKey>, before)
    : Either.left(new InvalidKeys({ problems: [problem, ...more] }))
}

/**
 * Reads the keys as JSON from `API_KEYS`, or from the file that `API_KEYS_FILE`
 * names, which is read again within two seconds when it changes; a change that
 * cannot be used is logged and leaves the keys as they were. A caller whose entry
 * was taken out or changed is revoked, for as long as streams that it opened are
 * known by the principal that was given for it.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerConfig: Layer.Layer<Authenticator, InvalidKeys | ConfigError.ConfigError> = Layer.scoped(
  Authenticator,
  Effect.gen(function*() {
    const { file, keys } = yield* settings
    if (Option.isSome(keys) && Option.isSome(file)) {
      return yield* refuse("set API_KEYS or API_KEYS_FILE, not both")
    }
    if (Option.isSome(keys)) return yield* Effect.flatMap(parse(keys.value), (table) => serve(() => table))
    if (Option.isNone(file)) return yield* refuse("set API_KEYS or API_KEYS_FILE")
    const withdrawn = new WeakSet<Principal.Principal>()
    const table = yield* WatchedFile.make<Table, InvalidKeys>(file.value, {
      parse,
      unreadable: () => refuse("the file that API_KEYS_FILE names cannot be read"),
      name: "The API keys",
      changed: (before, after) => {
        for (const [hash, known] of before.byHash) {
          if (after.byHash.get(hash) !== known) withdrawn.add(known.principal)
        }
      }
    })
    return { ...(yield* serve(table)), isRevoked: (caller: Principal.Principal) => withdrawn.has(caller) }
  })
)

/**
 * Whether `API_KEYS` or `API_KEYS_FILE` is set; one that is empty is not.
 *
 * @since 0.1.0
 * @category configuration
 */
export const isConfigured: Config.Config<boolean> = Config.map(
  settings,
  ({ file, keys }) => Option.isSome(file) || Option.isSome(keys)
)
