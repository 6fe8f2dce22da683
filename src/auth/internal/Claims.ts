/**
 * Reads from proven claims who a token is for.
 *
 * @since 0.1.0
 */
import * as Principal from "../Principal.js"

/** @internal */
export interface Options {
  readonly tenantClaim?: string | undefined
  readonly scopeClaims?: ReadonlyArray<string> | undefined
  readonly implies?: { readonly [scope: string]: ReadonlyArray<string> } | undefined
}

/** @internal */
export interface Claims {
  readonly [claim: string]: unknown
}

/** For log lines and labels too: one line, and not a long one. */
const isName = (value: unknown): value is string =>
  typeof value === "string" && value.length > 0 && value.length <= 256 && !/[\p{Cc}\p{Zl}\p{Zp}]/u.test(value)

const own = (claims: Claims, name: string): unknown => (Object.hasOwn(claims, name) ? claims[name] : undefined)

const scopesIn = (value: unknown): ReadonlyArray<string> => {
  if (typeof value === "string") return value.split(" ")
  return Array.isArray(value) ? value.filter((scope) => typeof scope === "string") : []
}

/** The scopes, with all that they imply in any number of steps. */
const closure = (granted: ReadonlyArray<string>, implies: Options["implies"]): ReadonlySet<string> => {
  const scopes = new Set<string>()
  const waiting = [...granted]
  for (let scope = waiting.pop(); scope !== undefined; scope = waiting.pop()) {
    if (scope === "" || scopes.has(scope)) continue
    scopes.add(scope)
    if (implies !== undefined && Object.hasOwn(implies, scope)) waiting.push(...(implies[scope] ?? []))
  }
  return scopes
}

/**
 * The principal of these claims; `undefined` when one that is needed is missing
 * or odd. A scope `*` in a token is an ordinary word of somebody else's and
 * grants nothing: only `implies` gives everything.
 *
 * @internal
 */
export const principalOf = (
  claims: Claims,
  { implies, scopeClaims, tenantClaim }: Options,
  expiresAt: number | undefined
): Principal.Principal | undefined => {
  const id = own(claims, "sub")
  const tenant = tenantClaim === undefined ? "default" : own(claims, tenantClaim)
  if (!isName(id) || !isName(tenant)) return undefined
  const granted = (scopeClaims ?? ["scope", "scp"]).flatMap((claim) => scopesIn(own(claims, claim)))
  const scopes = closure(granted.filter((scope) => scope !== "*"), implies)
  return Principal.make({ id, tenant, scopes, expiresAt })
}

/**
 * Whether a token may only be used together with a key that its holder proves to
 * have. This server asks for no such proof, so anybody could use it.
 *
 * Source: RFC 9449 §7.1, RFC 8705 §3.
 *
 * @internal
 */
export const isBound = (claims: Claims): boolean => Object.hasOwn(claims, "cnf")
