/**
 * Puts a handler's questions to a client of a handshake revision, one request
 * each, and asks the handler again with the answers until it has no more.
 *
 * @since 0.1.0
 */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Random from "effect/Random"
import type { Standing } from "./Exchange.js"
import type { Json } from "./JsonRpc.js"
import { isObject } from "./JsonRpc.js"
import type { McpError } from "./McpError.js"
import type { ClientCapabilities, InputRequired, InputResponses } from "./McpSchema.js"
import type { Revision } from "./Revision.js"

/**
 * This client cannot be asked; the reason is a sentence for its user.
 *
 * @since 0.1.0
 * @category errors
 */
export class Unasked extends Data.TaggedError("Unasked")<{ readonly reason: string }> {}

/**
 * How often one call may come back with questions.
 *
 * @since 0.1.0
 * @category configuration
 */
export const maxRounds = 16

/**
 * For a client that no question can reach.
 *
 * @since 0.1.0
 * @category constructors
 */
export const unreachable: Unasked = new Unasked({
  reason:
    "This needs an answer from the user, and the client cannot be asked over this connection. Use a client that keeps its session and takes event streams, or one that speaks MCP 2026-07-28."
})

const newId: Effect.Effect<string> = Effect.map(
  Effect.all([Random.nextIntBetween(0, 2 ** 32), Random.nextIntBetween(0, 2 ** 32)]),
  (parts) => parts.map((part) => part.toString(16).padStart(8, "0")).join("")
)

/** A link needs an id on these revisions. */
const identified = (params: Json): Effect.Effect<Json> =>
  params.mode === "url" ? Effect.map(newId, (elicitationId) => ({ ...params, elicitationId })) : Effect.succeed(params)

type Question = readonly [key: string, asked: { readonly method: string; readonly params: unknown }]

/** A question as this revision puts it. */
interface Prepared {
  readonly key: string
  readonly method: string
  readonly params: Json
}

const isInputRequired = (value: { readonly _tag: string }): value is InputRequired => value._tag === "InputRequired"

/**
 * Asks until the handler is content. Fails with `Unasked` when the client
 * cannot be asked, does not answer, or is asked more than 16 times. A client
 * that cannot answer all of the questions is not bothered with some of them.
 *
 * @since 0.1.0
 * @category combinators
 */
export const settle = <A extends { readonly _tag: string }>(
  asked: InputRequired,
  again: (inputs: InputResponses) => Effect.Effect<A | InputRequired, McpError>,
  ask: NonNullable<Standing["ask"]>,
  clientCapabilities: ClientCapabilities,
  revision: Revision
): Effect.Effect<Exclude<A, InputRequired>, McpError | Unasked> => {
  const prepared = ([key, { method, params }]: Question): Either.Either<Prepared, Unasked> => {
    const asked = isObject(params) ? params : {}
    const question = revision.question?.(method, asked, clientCapabilities) ?? Either.right(asked)
    return Either.mapBoth(question, {
      onLeft: (reason) => new Unasked({ reason }),
      onRight: (params) => ({ key, method, params })
    })
  }

  const put = ({ key, method, params }: Prepared): Effect.Effect<readonly [string, unknown], Unasked> =>
    Effect.flatMap(identified(params), (params) => ask(method, params)).pipe(
      Effect.mapBoth({
        onFailure: ({ message }) => new Unasked({ reason: message }),
        onSuccess: (answer) => [key, answer] as const
      })
    )

  const round = (
    { inputRequests = {}, requestState }: InputRequired,
    left: number
  ): Effect.Effect<Exclude<A, InputRequired>, McpError | Unasked> => {
    const questions = Either.all(Object.entries(inputRequests).map(prepared))
    if (Either.isLeft(questions)) return Effect.fail(questions.left)
    if (questions.right.length === 0) {
      return Effect.fail(new Unasked({ reason: "The server cannot answer this now; try again later." }))
    }
    if (left === 0) {
      return Effect.fail(new Unasked({ reason: "The call came back with questions too often, and was given up." }))
    }
    return Effect.forEach(questions.right, put, { concurrency: "unbounded" }).pipe(
      Effect.flatMap((answers) =>
        again({
          inputResponses: Object.fromEntries(answers),
          ...(requestState === undefined ? {} : { requestState })
        })
      ),
      Effect.flatMap((value) =>
        isInputRequired(value)
          ? round(value, left - 1)
          // What is no question is the handler's own answer.
          : Effect.succeed(value as Exclude<A, InputRequired>)
      )
    )
  }
  return round(asked, maxRounds)
}
