/**
 * What this server tells clients about itself as an OAuth protected resource.
 *
 * Source: RFC 9728 §2, §3.
 *
 * @since 0.1.0
 */
import type { Challenge } from "../Authenticator.js"

/** @internal */
export interface Described {
  readonly challenge: Challenge
  readonly metadata: { readonly paths: ReadonlyArray<string>; readonly json: string }
}

const wellKnown = "/.well-known/oauth-protected-resource"

/** @internal */
export const describe = (options: {
  readonly resource: string
  readonly issuer: string
  readonly scopesSupported?: ReadonlyArray<string> | undefined
}): Described => {
  const { origin, pathname } = new URL(options.resource)
  const inserted = pathname === "/" ? wellKnown : `${wellKnown}${pathname}`
  // A client asks for that one by itself, where it wants to.
  const scopes = options.scopesSupported?.filter((scope) => scope !== "offline_access")
  return {
    challenge: {
      resourceMetadata: `${origin}${inserted}`,
      ...(scopes === undefined || scopes.length === 0 ? {} : { scopes })
    },
    metadata: {
      paths: [...new Set([inserted, wellKnown])],
      json: JSON.stringify({
        resource: options.resource,
        authorization_servers: [options.issuer],
        ...(scopes === undefined ? {} : { scopes_supported: scopes }),
        bearer_methods_supported: ["header"]
      })
    }
  }
}
