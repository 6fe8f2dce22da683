/**
 * A model that answers an equal question from what it answered before.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import * as Chat from "./Chat.js"
import type * as Llm from "./Llm.js"
import * as ResponseCache from "./ResponseCache.js"

/**
 * Puts a cache before a model. Only requests with temperature 0 are looked up,
 * and only answers without a flaw are kept; a stream is kept when it is done,
 * for streams alone, since nobody judged it.
 *
 * An answer from the cache has `isCached`, costs nothing and used no tokens,
 * names the provider and model that gave it, and has no attempts, since none was
 * made; as a stream it is one text. A value that the request's own `validate`
 * finds wrong is neither kept nor taken. Values are not checked against their
 * schema here: a chain has done that, so put the cache before the chain.
 *
 * The cache is waited for on both ways, and how long that may take is its own
 * affair; the one in memory takes no time.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (model: Llm.Model, cache: ResponseCache.ResponseCache): Llm.Model => ({
  provider: model.provider,
  model: model.model,
  traits: model.traits,
  ping: model.ping,
  generateText: (request, observer) =>
    ResponseCache.isCacheable(request)
      ? Effect.suspend(() => {
        const key = ResponseCache.keyOf("generateText", model, request)
        return Effect.flatMap(cache.get(key), (kept) =>
          Option.isSome(kept) && isText(kept.value)
            ? Effect.succeed(fromCache(kept.value))
            : Effect.tap(model.generateText(request, observer), (answer) => keep(cache, key, answer)))
      })
      : model.generateText(request, observer),
  generateObject: (request, observer) =>
    ResponseCache.isCacheable(request)
      ? Effect.suspend(() => {
        const key = ResponseCache.keyOf("generateObject", model, request)
        const isValid = (answer: Chat.ObjectAnswer): boolean =>
          request.validate === undefined || request.validate(answer.value).length === 0
        return Effect.flatMap(cache.get(key), (kept) =>
          Option.isSome(kept) && isObject(kept.value) && isValid(kept.value)
            ? Effect.succeed(fromCache(kept.value))
            : Effect.tap(
              model.generateObject(request, observer),
              (answer) => isValid(answer) ? keep(cache, key, answer) : Effect.void
            ))
      })
      : model.generateObject(request, observer),
  streamText: (request, observer) =>
    ResponseCache.isCacheable(request)
      ? Stream.unwrap(Effect.suspend(() => {
        // A chain judges whole answers before it gives them, and streams not at all: they are not to be mixed.
        const key = ResponseCache.keyOf("streamText", model, request)
        return Effect.map(cache.get(key), (kept) =>
          Option.isSome(kept) && isText(kept.value)
            ? whole(fromCache(kept.value))
            : Stream.tap(
              model.streamText(request, observer),
              (delta) => delta._tag === "Done" ? keep(cache, key, delta.answer) : Effect.void
            ))
      }))
      : model.streamText(request, observer)
})

/** Another's cache may hold what another's program put there. */
const isText = (answer: ResponseCache.Answer): answer is Chat.TextAnswer =>
  "text" in answer && typeof answer.text === "string" && "citations" in answer && Array.isArray(answer.citations)

const isObject = (answer: ResponseCache.Answer): answer is Chat.ObjectAnswer => "value" in answer

const fromCache = <A extends Chat.Provenance>(answer: A): A => ({
  ...answer,
  usage: { inputTokens: 0, outputTokens: 0 },
  cost: Chat.noCost,
  attempts: [],
  isCached: true
})

/** What another cache below gave is not kept once more, or it would never grow old. */
const keep = (cache: ResponseCache.ResponseCache, key: string, answer: ResponseCache.Answer): Effect.Effect<void> =>
  answer.flaw === undefined && answer.isCached !== true ? cache.set(key, answer) : Effect.void

const whole = (answer: Chat.TextAnswer): Stream.Stream<Chat.Delta> =>
  Stream.make<[Chat.Delta, Chat.Delta]>({ _tag: "Text", text: answer.text }, { _tag: "Done", answer })
