/**
 * An authorization server on this machine, as far as a resource server meets
 * one: metadata, keys, introspection; and tokens of every kind, signed by it.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Jose from "jose"
import type { IncomingMessage, ServerResponse } from "node:http"
import { createServer } from "node:http"

export interface Key {
  readonly kid: string
  readonly alg: string
  readonly privateKey: Jose.CryptoKey
  readonly publicKey: Jose.CryptoKey
  readonly jwk: Jose.JWK
}

export interface AuthorizationServer {
  readonly issuer: string
  readonly url: (path: string) => string
  /** How often each path was asked for. */
  readonly hits: ReadonlyMap<string, number>
  readonly hitsOf: (path: string) => number
  /** What it answers from now on. */
  readonly play: {
    keys: ReadonlyArray<Jose.JWK>
    delayMillis: number
    isDown: boolean
    metadata: object
    /** The path that has the metadata; the others answer 404. */
    metadataPath: string
    /** What introspection says of a token; by status when it is a number. */
    introspect: (token: string, request: IncomingMessage) => object | number
    /** The body of `/jwks` in place of the keys. */
    jwksBody: string | undefined
    jwksRedirect: string | undefined
  }
  /** Bodies and headers of all questions, for what must not be in them. */
  readonly received: ReadonlyArray<string>
}

export const key = (alg: string, kid: string): Effect.Effect<Key> =>
  Effect.promise(async () => {
    const { privateKey, publicKey } = await Jose.generateKeyPair(alg, { extractable: true })
    const jwk = { ...await Jose.exportJWK(publicKey), kid, alg, use: "sig" }
    return { kid, alg, privateKey, publicKey, jwk }
  })

const bodyOf = async (request: IncomingMessage): Promise<string> => {
  const chunks: Array<Buffer> = []
  for await (const chunk of request) chunks.push(Buffer.from(chunk))
  return Buffer.concat(chunks).toString()
}

export const start = (keys: ReadonlyArray<Key>): Effect.Effect<AuthorizationServer, never, Scope.Scope> =>
  Effect.gen(function*() {
    const hits = new Map<string, number>()
    const received: Array<string> = []
    const play: AuthorizationServer["play"] = {
      keys: keys.map(({ jwk }) => jwk),
      delayMillis: 0,
      isDown: false,
      metadata: {},
      metadataPath: "/.well-known/oauth-authorization-server",
      introspect: () => ({ active: false }),
      jwksBody: undefined,
      jwksRedirect: undefined
    }
    const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
      const path = request.url ?? ""
      hits.set(path, (hits.get(path) ?? 0) + 1)
      const body = await bodyOf(request)
      received.push(`${request.method} ${path} ${JSON.stringify(request.headers)} ${body}`)
      if (play.isDown) return void request.socket.destroy()
      if (play.delayMillis > 0) await new Promise((resolve) => setTimeout(resolve, play.delayMillis))
      const send = (status: number, text: string, headers: object = {}): void => {
        response.writeHead(status, { "content-type": "application/json", ...headers }).end(text)
      }
      if (path === play.metadataPath) return send(200, JSON.stringify(play.metadata))
      if (path === "/jwks") {
        if (play.jwksRedirect !== undefined) return send(302, "{}", { location: play.jwksRedirect })
        return send(200, play.jwksBody ?? JSON.stringify({ keys: play.keys }))
      }
      if (path === "/introspect") {
        const said = play.introspect(new URLSearchParams(body).get("token") ?? "", request)
        return typeof said === "number" ? send(said, "{}") : send(200, JSON.stringify(said))
      }
      send(404, "{}")
    }
    const server = createServer((request, response) => void answer(request, response))
    yield* Effect.acquireRelease(
      Effect.async<void>((resume) => void server.listen(0, "127.0.0.1", () => resume(Effect.void))),
      () =>
        Effect.sync(() => {
          server.closeAllConnections()
          server.close()
        })
    )
    const address = server.address()
    const issuer = `http://127.0.0.1:${typeof address === "object" ? address?.port : ""}`
    play.metadata = { issuer, jwks_uri: `${issuer}/jwks` }
    return { issuer, url: (path) => `${issuer}${path}`, hits, hitsOf: (path) => hits.get(path) ?? 0, play, received }
  })

export const now = (): number => Math.floor(Date.now() / 1000)

export interface Written {
  readonly claims?: { readonly [claim: string]: unknown }
  readonly header?: { readonly [name: string]: unknown }
  readonly without?: ReadonlyArray<string>
}

/** A good token for the resource, but for what is said. */
export const token = (
  { alg, kid, privateKey }: Key,
  issuer: string,
  audience: string,
  { claims = {}, header = {}, without = [] }: Written = {}
): Effect.Effect<string> =>
  Effect.promise(() => {
    const all: { readonly [claim: string]: unknown } = {
      iss: issuer,
      aud: audience,
      sub: "ada",
      exp: now() + 300,
      iat: now(),
      scope: "tools:read",
      ...claims
    }
    const kept = Object.fromEntries(Object.entries(all).filter(([name]) => !without.includes(name)))
    const names: Jose.JWTHeaderParameters = { alg, kid, typ: "at+jwt" }
    return new Jose.SignJWT(kept).setProtectedHeader({ ...names, ...header }).sign(privateKey, {
      crit: { custom: true }
    })
  })

const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url")

/** A token of these parts, without a signature of anybody's. */
export const forged = (header: object, claims: object, signature = ""): string =>
  `${part(header)}.${part(claims)}.${signature}`
