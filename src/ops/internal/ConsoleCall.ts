/**
 * Runs a tool for the person at the console, as that person's own call.
 *
 * @since 0.1.0
 */
import type * as HttpApp from "@effect/platform/HttpApp"
import * as HttpIncomingMessage from "@effect/platform/HttpIncomingMessage"
import { HttpServerRequest } from "@effect/platform/HttpServerRequest"
import type * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import type * as Clock from "effect/Clock"
import type * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import { randomUUID } from "node:crypto"
import type { Principal } from "../../auth/Principal.js"
import type { Lifecycle } from "../../health/Lifecycle.js"
import * as JsonBounds from "../../protocol/JsonBounds.js"
import * as JsonRpc from "../../protocol/JsonRpc.js"
import type { McpError } from "../../protocol/McpError.js"
import { McpServer } from "../../server/McpServer.js"
import * as MemoryTransport from "../../transport/MemoryTransport.js"
import * as ConsoleReply from "./ConsoleReply.js"

/**
 * @since 0.1.0
 * @category configuration
 */
export interface Options {
  readonly server: Context.Tag.Service<McpServer>
  readonly lifecycle: Context.Tag.Service<Lifecycle> | undefined
  readonly clock: Clock.Clock
  readonly timeout: Duration.Duration
}

const mostBytes = 64 * 1024

const isJson = (contentType: string | undefined): boolean =>
  /^application\/json\s*(?:;\s*charset="?utf-8"?\s*)?$/iu.test(contentType ?? "")

type Refusal = HttpServerResponse.HttpServerResponse

const refusalOf = (request: HttpServerRequest): Refusal | undefined => {
  const { headers } = request
  if (ConsoleReply.isForeign(request)) return ConsoleReply.refuse(403, "a page of another site may not call tools")
  if (!isJson(headers["content-type"])) return ConsoleReply.refuse(415, "the content type must be application/json")
  if (headers["content-encoding"] !== undefined) return ConsoleReply.refuse(415, "the body must not be encoded")
  const length = headers["content-length"]
  if (length === undefined) return ConsoleReply.refuse(411, "the length of the body is needed")
  return Number(length) <= mostBytes ? undefined : ConsoleReply.refuse(413, `the body is over ${mostBytes} bytes`)
}

interface Asked {
  readonly name: string
  readonly arguments: JsonRpc.Json
}

const parse = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

const asked = (text: string): Either.Either<Asked, Refusal> => {
  const hindrance = JsonBounds.check(text, JsonBounds.defaults)
  if (hindrance !== undefined) return Either.left(ConsoleReply.refuse(400, hindrance))
  const body = parse(text)
  const { arguments: given = {}, name } = JsonRpc.isObject(body) ? body : {}
  return typeof name === "string" && JsonRpc.isObject(given)
    ? Either.right({ name, arguments: given })
    : Either.left(ConsoleReply.refuse(400, "the body must be JSON: the name of a tool, and its arguments, an object"))
}

/**
 * @since 0.1.0
 * @category constructors
 */
export const make = ({ clock, lifecycle, server, timeout }: Options): (caller: Principal) => HttpApp.Default => {
  const late = ConsoleReply.json({ error: `no answer within ${Duration.format(timeout)}; the call was cancelled` }, 504)

  const run = (caller: Principal, { name, arguments: given }: Asked): Effect.Effect<Refusal> =>
    Effect.suspend(() => {
      const began = clock.unsafeCurrentTimeMillis()
      const since = (): number => clock.unsafeCurrentTimeMillis() - began
      return MemoryTransport.make({ caller }).pipe(
        Effect.provideService(McpServer, server),
        Effect.flatMap((client) =>
          client.request("tools/call", { name, arguments: given }, { id: `console-${randomUUID().slice(-12)}` })
        ),
        Effect.match({
          onFailure: ({ code, data, message }: McpError) =>
            ConsoleReply.json({
              error: { code, message, ...(data === undefined ? {} : { data }) },
              millis: since()
            }),
          onSuccess: (result) => ConsoleReply.json({ result, millis: since() })
        }),
        Effect.timeoutOption(timeout),
        Effect.map(Option.getOrElse(() => late)),
        Effect.scoped
      )
    })

  const read = (request: HttpServerRequest): Effect.Effect<Asked, Refusal> =>
    request.text.pipe(
      HttpIncomingMessage.withMaxBodySize(Option.some(mostBytes)),
      Effect.mapError(() => ConsoleReply.refuse(400, "the body could not be read")),
      Effect.flatMap(asked)
    )

  return (caller) =>
    Effect.flatMap(HttpServerRequest, (request) => {
      const refusal = refusalOf(request)
      if (refusal !== undefined) return Effect.succeed(refusal)
      if (lifecycle?.state() === "draining") {
        return Effect.succeed(ConsoleReply.refuse(503, "the server is about to stop and begins no more calls"))
      }
      return Effect.matchEffect(read(request), {
        onFailure: Effect.succeed,
        onSuccess: (call) => run(caller, call)
      })
    })
}
