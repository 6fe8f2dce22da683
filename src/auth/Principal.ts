/**
 * Who is asking: the identity, the tenant and the scopes that one request
 * carries, whichever way they were proved.
 *
 * @since 0.1.0
 */

/**
 * A limit that belongs to a caller: so many calls per window, all tools together.
 *
 * @since 0.1.0
 * @category models
 */
export interface Limit {
  readonly limit: number
  readonly windowSeconds: number
  /** The most at once; `limit` unless given. */
  readonly burst?: number | undefined
}

/**
 * The caller of a request. `scopes` holds `"*"` when everything is allowed.
 *
 * @since 0.1.0
 * @category models
 */
export interface Principal {
  readonly id: string
  /** Whose data the caller may see; every store filters by it. */
  readonly tenant: string
  readonly scopes: ReadonlySet<string>
  /** Limits of the caller's own; none unless given. */
  readonly limits?: ReadonlyArray<Limit> | undefined
  /**
   * When the credential ends, in milliseconds since the epoch; never unless given.
   * Open streams end then, calls in flight go on. One that can be withdrawn earlier
   * is told of by `Authenticator.isRevoked`.
   */
  readonly expiresAt?: number | undefined
}

/**
 * Makes a principal; without a tenant it belongs to `"default"`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: {
  readonly id: string
  readonly tenant?: string | undefined
  readonly scopes?: Iterable<string> | undefined
  readonly limits?: ReadonlyArray<Limit> | undefined
  readonly expiresAt?: number | undefined
}): Principal => ({
  id: options.id,
  tenant: options.tenant ?? "default",
  scopes: new Set(options.scopes ?? []),
  ...(options.limits === undefined ? {} : { limits: options.limits }),
  ...(options.expiresAt === undefined ? {} : { expiresAt: options.expiresAt })
})

/**
 * The person at this machine: the caller on stdio, in memory and on an
 * unauthenticated loopback listener. May do everything.
 *
 * @since 0.1.0
 * @category constructors
 */
export const local: Principal = make({ id: "local", scopes: ["*"] })

/**
 * Whether the principal holds every scope named.
 *
 * @since 0.1.0
 * @category guards
 */
export const isAllowed = (principal: Principal, scopes: ReadonlyArray<string>): boolean =>
  scopes.length === 0 || principal.scopes.has("*") || scopes.every((scope) => principal.scopes.has(scope))
