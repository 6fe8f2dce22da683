/**
 * Faults of a stream: silence, cuts, errors in the middle, odd framing, too much.
 *
 * @since 0.1.0
 */
import type { Wire } from "./ProviderAnswer.js"
import { event, messageEvent } from "./ProviderAnswer.js"
import type { Fault, Faults } from "./ProviderFault.js"
import { answer, body, both, bytes, chatOnly, messagesOnly, repeated } from "./ProviderFault.js"
import { delayed, status, stream } from "./ProviderReply.js"

const fault = (
  expect: Fault["expect"],
  replies: Pick<Fault, "replies" | "anthropic">,
  about: string,
  flaw?: Fault["flaw"]
): Fault => ({ ...replies, asks: "stream", expect, about, ...(flaw === undefined ? {} : { flaw }) })

const half = answer.slice(0, 24)
const rest = answer.slice(24)

const events = (wire: Wire): ReadonlyArray<string> => [...wire.start(), wire.text(half), wire.text(rest), ...wire.end()]
const begun = (wire: Wire): ReadonlyArray<string> => [...wire.start(), wire.text(half)]
const joined = (wire: Wire): string => events(wire).join("")

const silences: Faults = {
  "stream-hang": fault("TimedOut", both(() => stream([], { end: "hang" })), "opens a stream and sends nothing"),
  "stream-role-then-silence": fault(
    "TimedOut",
    both((wire) => stream(wire.start(), { end: "hang" })),
    "opens a stream in form and sends no text"
  ),
  "stream-slow-first-token": fault(
    "TimedOut",
    both((wire) => stream([...wire.start(), ...[wire.text(answer), ...wire.end()]], { gapMs: 20_000 })),
    "takes twenty seconds to its first text"
  ),
  "stream-late": fault(
    "TimedOut",
    both((wire) => delayed(20_000, stream(events(wire)))),
    "takes twenty seconds to its headers"
  ),
  "stream-keep-alive": fault(
    "TimedOut",
    both((wire) => stream(repeated(wire.keepAlive, undefined, wire.start()), { gapMs: 20 })),
    "keeps the connection alive for ever and sends no text"
  ),
  "stream-empty-deltas": fault(
    "TimedOut",
    both((wire) => stream(repeated(wire.text(""), undefined, wire.start()), { gapMs: 20 })),
    "sends empty texts for ever"
  ),
  "stream-stall": fault("TimedOut", both((wire) => stream(begun(wire), { end: "hang" })), "falls silent in the middle"),
  "stream-stall-keep-alive": fault(
    "TimedOut",
    both((wire) => stream(repeated(wire.keepAlive, undefined, begun(wire)), { gapMs: 20 })),
    "falls silent in the middle and keeps the connection alive"
  ),
  "stream-stall-then-resume": fault(
    "TimedOut",
    both((wire) => stream([begun(wire).join(""), wire.text(rest), ...wire.end()], { gapMs: 10_000 })),
    "falls silent for ten seconds in the middle"
  ),
  "stream-stall-then-close": fault(
    "Transient",
    both((wire) => stream([begun(wire).join(""), "\n"], { gapMs: 100 })),
    "falls silent for a moment in the middle and closes"
  )
}

const cut = (tokens: number, end: "close" | "reset") =>
  both((wire) =>
    stream([...wire.start(), ...Array.from({ length: tokens }, (_, at) => wire.text(` word${at}`))], { gapMs: 2, end })
  )

const cuts: Faults = {
  "stream-empty": fault("Transient", both(() => stream([])), "opens a stream and closes it"),
  "stream-cut-after-0-tokens": fault("Transient", cut(0, "close"), "closes before the first text"),
  "stream-cut-after-1-token": fault("Transient", cut(1, "close"), "closes after one text"),
  "stream-cut-after-40-tokens": fault("Transient", cut(40, "close"), "closes after forty texts"),
  "stream-reset-after-0-tokens": fault("Transient", cut(0, "reset"), "breaks the connection before the first text"),
  "stream-reset-after-1-token": fault("Transient", cut(1, "reset"), "breaks the connection after one text"),
  "stream-no-done": fault(
    "answer",
    chatOnly(stream([event(half), event(rest, "stop")])),
    "says why it ended, and leaves out [DONE]"
  ),
  "stream-done-without-finish": fault(
    "Transient",
    chatOnly(stream([event(half), "data: [DONE]\n\n"])),
    "sends [DONE] without saying why it ended, as a gateway does when its upstream breaks off"
  ),
  "stream-no-message-stop": fault(
    "answer",
    messagesOnly(stream(messagesOf("end_turn").slice(0, -1))),
    "says why it ended, and leaves out the last event"
  ),
  "stream-open-after-end": fault(
    "answer",
    both((wire) => stream(events(wire), { end: "hang" })),
    "leaves the connection open after the end"
  ),
  "stream-data-after-end": fault(
    "answer",
    both((wire) => stream([...events(wire), wire.text(" More.")])),
    "writes on after the end"
  ),
  "stream-end-twice": fault("answer", both((wire) => stream([...events(wire), wire.end().at(-1) ?? ""])), "ends twice"),
  "stream-no-stop-reason": fault(
    "Transient",
    messagesOnly(stream(messagesOf(null).filter((data) => !data.includes("message_delta")))),
    "ends without saying why"
  )
}

function messagesOf(stopReason: string | null): ReadonlyArray<string> {
  return [
    messageEvent("message_start", {
      message: { model: "m", content: [], usage: { input_tokens: 12, output_tokens: 1 } }
    }),
    messageEvent("content_block_start", { index: 0, content_block: { type: "text", text: "" } }),
    messageEvent("content_block_delta", { index: 0, delta: { type: "text_delta", text: answer } }),
    messageEvent("content_block_stop", { index: 0 }),
    messageEvent("message_delta", { delta: { stop_reason: stopReason }, usage: { output_tokens: 9 } }),
    messageEvent("message_stop")
  ]
}

const ended = (finish: string) => both((wire) => stream([...begun(wire), ...wire.end({ finish })]))

const errors: Faults = {
  "stream-first-event-429": fault(
    "RateLimited",
    both((wire) => stream([`data: ${JSON.stringify(wire.error("rate_limit_error", "Slow down."))}\n\n`])),
    "opens a stream and finds that it is over its limit"
  ),
  "stream-429": fault(
    "RateLimited",
    both((wire) => status(429, wire.error("rate_limit_error", "Slow down."), { "retry-after": "3" })),
    "is over its limit before the stream"
  ),
  "stream-error-event": fault(
    "Transient",
    both((wire) =>
      stream([
        ...begun(wire),
        `event: error\ndata: ${JSON.stringify(wire.error("overloaded_error", "Overloaded"))}\n\n`
      ])
    ),
    "reports an error in the middle"
  ),
  "stream-error-code": fault(
    "Transient",
    chatOnly(stream([event(half), "data: {\"error\":{\"code\":502,\"message\":\"Provider returned error\"}}\n\n"])),
    "reports an error of its upstream in the middle, as OpenRouter does"
  ),
  "stream-finish-error": fault(
    "Transient",
    chatOnly(stream([event(half), event("", "error"), "data: [DONE]\n\n"])),
    "ends for an error"
  ),
  "stream-finish-length": fault("Degraded", ended("length"), "is cut off at its length", "truncated"),
  "stream-finish-content-filter": fault("ContentBlocked", ended("content_filter"), "is cut off by content rules"),
  "stream-no-text": fault(
    "Degraded",
    both((wire) => stream([...wire.start(), ...wire.end()])),
    "ends well and has no text",
    "empty"
  ),
  "stream-malformed-event": fault(
    "Malformed",
    both((wire) => stream([...begun(wire), "data: {\"type\":\"content\n\n", wire.text(rest), ...wire.end()])),
    "sends an event that is no JSON in the middle"
  ),
  "stream-event-no-object": fault(
    "Malformed",
    both((wire) => stream([...begun(wire), "data: 5\n\n", ...wire.end()])),
    "sends an event that is a number"
  ),
  "stream-utf-8-invalid": fault(
    "Malformed",
    both((wire) => stream([...begun(wire), Uint8Array.of(0x64, 0x61, 0x74, 0x61, 0x3a, 0xff, 0x0a, 0x0a)])),
    "sends bytes that are no UTF-8 in the middle"
  )
}

const framed = (frame: (text: string) => string): Pick<Fault, "replies" | "anthropic"> =>
  both((wire) => stream([frame(joined(wire))]))

/** The data of each event on two lines, which JSON allows at a comma. */
const multiline = (text: string): string => text.replace(/^data: (\{[^,\n]*),/gmu, "data: $1,\ndata: ")

const framings: Faults = {
  "stream-byte-by-byte": fault(
    "answer",
    both((wire) => stream(() => bytes(joined(wire))())),
    "sends its events byte by byte"
  ),
  "stream-one-piece": fault("answer", framed((text) => text), "sends all its events at once"),
  "stream-character-split": fault(
    "answer",
    both((wire) => {
      const content = new TextEncoder().encode([...wire.start(), wire.text("Rain 🌧."), ...wire.end()].join(""))
      const at = content.indexOf(0xf0) + 2
      return stream([content.slice(0, at), content.slice(at)], { gapMs: 20 })
    }),
    "cuts a character in two"
  ),
  "stream-crlf": fault("answer", framed((text) => text.replaceAll("\n", "\r\n")), "ends its lines with CR and LF"),
  "stream-cr": fault("answer", framed((text) => text.replaceAll("\n", "\r")), "ends its lines with CR"),
  "stream-no-space": fault(
    "answer",
    framed((text) => text.replaceAll("data: ", "data:")),
    "puts no blank after the colon"
  ),
  "stream-multi-line-data": fault("answer", framed(multiline), "writes the data of an event on several lines"),
  "stream-more-fields": fault(
    "answer",
    framed((text) =>
      `: hello\n\nretry: 3000\nid: 0\n\n${text.replaceAll("data: ", "id: 1\nretry: 5\nfoo: bar\ndata: ")}`
    ),
    "sends other fields of events"
  ),
  "stream-byte-order-mark": fault("answer", framed((text) => `\uFEFF${text}`), "begins with a byte order mark"),
  "stream-line-2-mb": fault(
    "Malformed",
    both((wire) => stream(repeated("x".repeat(64 * 1024), 32, [...begun(wire), "data: "], ["\n\n"]))),
    "sends a line of two megabytes"
  ),
  "stream-duplicated-events": fault(
    "answer",
    both((wire) => stream(events(wire).flatMap((data) => data.includes(half) ? [data, data] : [data]))),
    "sends a text twice"
  ),
  "stream-usage-first": fault(
    "answer",
    chatOnly(
      stream([
        "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":1}}\n\n",
        event(half),
        event(rest, "stop"),
        "data: [DONE]\n\n"
      ])
    ),
    "tells its usage first"
  ),
  "stream-usage-with-choices": fault(
    "answer",
    chatOnly(
      stream([
        event(half),
        event(rest, "stop", { usage: { prompt_tokens: 12, completion_tokens: 4 } }),
        "data: [DONE]\n\n"
      ])
    ),
    "tells its usage beside the last text"
  ),
  "stream-usage-twice": fault(
    "answer",
    both((wire) => stream([...begun(wire), wire.text(rest), ...wire.end().slice(0, -1), ...wire.end().slice(-2)])),
    "tells its usage twice"
  ),
  "stream-null-choices": fault(
    "answer",
    chatOnly(stream([event("", null, { choices: null }), event(half), event(rest, "stop"), "data: [DONE]\n\n"])),
    "has null for choices at times"
  ),
  "stream-tool-indices": fault(
    "answer",
    chatOnly(stream([
      event("", null, { choices: [{ index: 0, delta: { tool_calls: [{ index: 1, function: { arguments: "}" } }] } }] }),
      event("", null, {
        choices: [{ index: 0, delta: { tool_calls: [{ index: 0, function: { name: "x", arguments: "{" } }] } }]
      }),
      event(answer, "stop"),
      "data: [DONE]\n\n"
    ])),
    "sends calls of tools out of order beside its text"
  ),
  "stream-unknown-events": fault(
    "answer",
    messagesOnly(stream([
      messageEvent("surprise", { delta: { text: "!" } }),
      ...messagesOf("end_turn").flatMap((data) => [data, messageEvent("ping")])
    ])),
    "sends events that nobody knows"
  ),
  "stream-thinking": fault(
    "answer",
    messagesOnly(stream([
      messagesOf("end_turn")[0] ?? "",
      messageEvent("content_block_start", { index: 0, content_block: { type: "thinking", thinking: "" } }),
      messageEvent("content_block_delta", { index: 0, delta: { type: "thinking_delta", thinking: "Hm." } }),
      messageEvent("content_block_delta", { index: 0, delta: { type: "signature_delta", signature: "x" } }),
      messageEvent("content_block_stop", { index: 0 }),
      ...messagesOf("end_turn").slice(1)
    ])),
    "thinks aloud before it answers"
  )
}

const others: Faults = {
  "stream-ignored": fault(
    "answer",
    both((wire) => body(wire.body(answer))),
    "answers whole although a stream was asked for"
  ),
  "stream-html": fault(
    "Malformed",
    both(() => body("<!doctype html><title>Welcome</title>", "text/html")),
    "answers with a web page"
  ),
  "stream-endless": fault(
    "Malformed",
    both((wire) => stream(repeated(wire.text("rain and ".repeat(7000)), undefined, wire.start()))),
    "says the same for ever"
  ),
  "stream-100k-tokens": fault(
    "Malformed",
    both((wire) => stream(repeated(wire.text(" rain").repeat(100), 1000, wire.start(), wire.end()))),
    "answers with a hundred thousand tokens"
  )
}

/**
 * @since 0.1.0
 * @category faults
 */
export const faults: Faults = { ...silences, ...cuts, ...errors, ...framings, ...others }
