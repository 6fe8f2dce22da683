/**
 * Faults of a whole body: what is no JSON, what is JSON and no answer, and what
 * is odd but good.
 *
 * @since 0.1.0
 */
import type { Fault, Faults } from "./ProviderFault.js"
import { answer, blocks, body, both, chatOnly, choice, head, messagesOnly, repeated, same } from "./ProviderFault.js"
import { raw, stream } from "./ProviderReply.js"

const fault = (
  expect: Fault["expect"],
  replies: Pick<Fault, "replies" | "anthropic">,
  about: string,
  flaw?: Fault["flaw"]
): Fault => ({ ...replies, asks: "text", expect, about, ...(flaw === undefined ? {} : { flaw }) })

const degraded = (flaw: Fault["flaw"], replies: Pick<Fault, "replies" | "anthropic">, about: string): Fault =>
  fault("Degraded", replies, about, flaw)

const texts: Faults = {
  "blank-lines-first": fault(
    "answer",
    both((wire) =>
      stream(repeated("\n", 10, [], [JSON.stringify(wire.body(answer))]), {
        gapMs: 20,
        contentType: "application/json"
      })
    ),
    "sends blank lines while it thinks, as DeepSeek does"
  ),
  "comments-first": fault(
    "answer",
    chatOnly(
      body(`: PROCESSING\n\n: PROCESSING\n\n{"choices":[{"message":{"content":"${answer}"},"finish_reason":"stop"}]}`)
    ),
    "sends comment lines while it thinks, as OpenRouter does"
  ),
  "byte-order-mark": fault(
    "answer",
    both((wire) => body(`\uFEFF${JSON.stringify(wire.body(answer))}`)),
    "begins with a byte order mark"
  ),
  "trailing-junk": fault(
    "Malformed",
    both((wire) => body(`${JSON.stringify(wire.body(answer))}</html>`)),
    "writes on after its JSON"
  ),
  "two-documents": fault(
    "Malformed",
    both((wire) => body(`${JSON.stringify(wire.body(answer))}${JSON.stringify(wire.body(answer))}`)),
    "answers twice in one body"
  ),
  "json-lines": fault(
    "Malformed",
    both((wire) => body(`${JSON.stringify(wire.body("Heavy"))}\n${JSON.stringify(wire.body("rain"))}\n`)),
    "answers in lines of JSON"
  ),
  "json-malformed": fault(
    "Malformed",
    both((wire) => body(JSON.stringify(wire.body(answer)).replace(":", "="))),
    "sends what is nearly JSON"
  ),
  "json-truncated": fault(
    "Malformed",
    both((wire) => body(JSON.stringify(wire.body(answer)).slice(0, -20))),
    "ends its JSON early"
  ),
  "body-empty": fault("Malformed", same(body("")), "sends nothing"),
  "body-null": fault("Malformed", same(body("null")), "sends null"),
  "body-array": fault("Malformed", same(body("[]")), "sends an empty list"),
  "body-object": fault("Malformed", same(body("{}")), "sends an empty object"),
  "body-number": fault("Malformed", same(body("42")), "sends a number"),
  "body-string": fault("Malformed", same(body("\"ok\"")), "sends a string"),
  "body-nan": fault("Malformed", same(body("NaN")), "sends a number that JSON does not have"),
  "duplicate-keys": fault(
    "answer",
    both((wire) => body(JSON.stringify(wire.body(answer)).replace("{", "{\"id\":\"0\","))),
    "names a field twice"
  ),
  "proto-key": fault(
    "answer",
    both((wire) => body(JSON.stringify(wire.body(answer)).replace("{", "{\"__proto__\":{\"polluted\":true},"))),
    "names a field __proto__"
  ),
  "deep": fault("Malformed", same(body("[".repeat(10_000) + "]".repeat(10_000))), "nests lists ten thousand deep"),
  "string-5-mb": fault(
    "answer",
    both((wire) => {
      const [before = "", after = ""] = JSON.stringify(wire.body("TEXT", { usage: null })).split("TEXT")
      return raw(
        repeated("five bytes and more, ".repeat(3200), 78, [head({ "content-type": "application/json" }) + before], [
          after
        ])
      )
    }),
    "answers with a text of five megabytes"
  ),
  "type-html": fault(
    "Malformed",
    same(body("<!doctype html><title>Welcome</title>", "text/html")),
    "answers with a web page"
  ),
  "type-text": fault("answer", both((wire) => body(wire.body(answer), "text/plain")), "calls its JSON plain text"),
  "type-missing": fault(
    "answer",
    both((wire) => raw([head({}) + JSON.stringify(wire.body(answer))])),
    "does not say what it sends"
  ),
  "utf-8-invalid": fault(
    "Malformed",
    both((wire) => {
      const [before = "", after = ""] = JSON.stringify(wire.body("TEXT")).split("TEXT")
      return stream([before, Uint8Array.of(0xc3, 0x28), after], { contentType: "application/json" })
    }),
    "sends bytes that are no UTF-8"
  ),
  "lone-surrogate": fault(
    "Malformed",
    both((wire) => body(JSON.stringify(wire.body(`${answer} \ud83c`)))),
    "sends half a character by escape"
  ),
  "nul": fault(
    "Malformed",
    both((wire) => body(JSON.stringify(wire.body(`${answer}\u0000`)))),
    "sends a NUL"
  ),
  "multibyte-split": fault(
    "answer",
    both((wire) => {
      const content = new TextEncoder().encode(JSON.stringify(wire.body("Rain 🌧 and more 🌧")))
      const at = content.indexOf(0xf0) + 2
      return stream([content.slice(0, at), content.slice(at)], { gapMs: 20, contentType: "application/json" })
    }),
    "cuts a character in two"
  )
}

const shapes: Faults = {
  "choices-missing": fault("Malformed", chatOnly(body({ id: "1", model: "m" })), "leaves out its choices"),
  "choices-empty": fault("Malformed", chatOnly(body({ choices: [] })), "has no choice"),
  "choice-empty": degraded("empty", chatOnly(body({ choices: [{}] })), "has a choice with nothing in it"),
  "choices-two": fault(
    "answer",
    chatOnly(body({
      choices: [{ message: { content: answer }, finish_reason: "stop" }, {
        message: { content: "No." },
        finish_reason: "stop"
      }]
    })),
    "gives two choices"
  ),
  "message-missing": degraded(
    "empty",
    chatOnly(body({ choices: [{ finish_reason: "stop" }] })),
    "leaves out its message"
  ),
  "content-null": degraded("empty", chatOnly(choice({ content: null })), "has null for content"),
  "content-empty": degraded("empty", both((wire) => body(wire.body(""))), "answers with an empty text"),
  "content-spaces": degraded(
    "empty",
    both((wire) => body(wire.body(" \n".repeat(400)))),
    "answers with blanks alone, as DeepSeek does for lack of JSON"
  ),
  "content-blocks": fault(
    "answer",
    chatOnly(choice({ content: [{ type: "thinking", thinking: [] }, { type: "text", text: answer }] })),
    "gives its content in blocks, as Mistral does"
  ),
  "reasoning-only": degraded(
    "empty",
    chatOnly(choice({ content: null, reasoning_content: "Hm." })),
    "thinks and does not answer"
  ),
  "tool-call-bad-arguments": degraded(
    "empty",
    chatOnly(
      choice(
        { content: null, tool_calls: [{ id: "1", type: "function", function: { name: "x", arguments: "{" } }] },
        "tool_calls"
      )
    ),
    "calls a tool that it was not given, with arguments that are no JSON"
  ),
  "tool-call-no-name": degraded(
    "empty",
    chatOnly(
      choice(
        { content: "", tool_calls: [{ id: "1", type: "function", function: { name: "", arguments: "{}" } }] },
        "tool_calls"
      )
    ),
    "calls a tool without a name"
  ),
  "messages-content-missing": fault(
    "Malformed",
    messagesOnly(body({ type: "message", stop_reason: "end_turn" })),
    "leaves out its content"
  ),
  "messages-content-empty": degraded("empty", messagesOnly(blocks([])), "has no block of content"),
  "messages-content-string": fault(
    "answer",
    messagesOnly(blocks(answer)),
    "gives its content as a text, as some gateways do"
  ),
  "messages-thinking-first": fault(
    "answer",
    messagesOnly(blocks([{ type: "thinking", thinking: "Hm.", signature: "x" }, { type: "text", text: answer }])),
    "thinks in a block before it answers"
  ),
  "messages-thinking-only": degraded(
    "empty",
    messagesOnly(blocks([{ type: "redacted_thinking", data: "x" }])),
    "thinks and does not answer"
  ),
  "messages-unknown-block": fault(
    "answer",
    messagesOnly(blocks([{ type: "surprise", text: "!" }, { type: "text", text: answer }, null, 7])),
    "has blocks that nobody knows"
  ),
  "messages-tool-unasked": degraded(
    "empty",
    messagesOnly(blocks([{ type: "tool_use", id: "1", name: "x", input: {} }], "tool_use")),
    "calls a tool that it was not given"
  )
}

const endings: Faults = {
  "finish-length": degraded(
    "truncated",
    both((wire) => body(wire.body(answer.slice(0, 20), { finish: "length" }))),
    "was cut off at its length"
  ),
  "finish-model-length": degraded(
    "truncated",
    chatOnly(choice({ content: "Heavy r" }, "model_length")),
    "was cut off at the model's length"
  ),
  "finish-content-filter": fault(
    "ContentBlocked",
    both((wire) => body(wire.body("", { finish: "content_filter" }))),
    "was cut off by content rules"
  ),
  "finish-insufficient-resource": fault(
    "Transient",
    chatOnly(choice({ content: "Heavy r" }, "insufficient_system_resource")),
    "ran out of machines, as DeepSeek puts it"
  ),
  "finish-error": fault("Transient", chatOnly(choice({ content: "Heavy r" }, "error")), "broke off"),
  "finish-null": fault("answer", chatOnly(choice({ content: answer }, null)), "does not say why it ended"),
  "finish-unknown": fault(
    "answer",
    both((wire) => body(wire.body(answer, { finish: "eos_token" }))),
    "ended for a reason nobody knows"
  ),
  "finish-tool-calls": fault(
    "answer",
    chatOnly(choice({ content: answer }, "tool_calls")),
    "ended for the call of a tool, and there is none"
  ),
  "finish-stop-refusal": degraded(
    "refusal",
    chatOnly(choice({ content: null, refusal: "I cannot." })),
    "declines in a field of its own, as OpenAI does"
  ),
  "messages-stop-sequence": fault(
    "answer",
    messagesOnly(blocks([{ type: "text", text: answer }], "stop_sequence")),
    "ended at a text it was told to end at"
  ),
  "messages-stop-null": fault(
    "answer",
    messagesOnly(blocks([{ type: "text", text: answer }], null)),
    "does not say why it ended"
  ),
  "messages-pause": degraded(
    "truncated",
    messagesOnly(blocks([{ type: "text", text: "Heavy r" }], "pause_turn")),
    "paused in the middle of its turn"
  ),
  "messages-context": fault(
    "ContextTooLong",
    messagesOnly(blocks([{ type: "text", text: "Heavy r" }], "model_context_window_exceeded")),
    "filled the model's window before it was done"
  )
}

const odd = (fields: object) => both((wire) => body({ ...wire.body(answer), ...fields }))
const used = (usage: unknown) => odd({ usage })

const usages: Faults = {
  "usage-missing": fault("answer", used(undefined), "does not tell its usage"),
  "usage-null": fault("answer", used(null), "has null for usage"),
  "usage-zero": fault(
    "answer",
    used({ prompt_tokens: 0, completion_tokens: 0, input_tokens: 0, output_tokens: 0 }),
    "says that it used nothing"
  ),
  "usage-negative": fault(
    "answer",
    used({ prompt_tokens: -5, completion_tokens: -1, input_tokens: -5, output_tokens: -1 }),
    "says that it used less than nothing"
  ),
  "usage-strings": fault(
    "answer",
    used({ prompt_tokens: "12", completion_tokens: "4", input_tokens: "12", output_tokens: "4" }),
    "tells its usage in strings"
  ),
  "usage-total-wrong": fault(
    "answer",
    used({ prompt_tokens: 12, completion_tokens: 4, total_tokens: 99 }),
    "adds up wrong"
  ),
  "usage-cached-more": fault(
    "answer",
    used({
      prompt_tokens: 12,
      completion_tokens: 4,
      prompt_tokens_details: { cached_tokens: 500 },
      input_tokens: 12,
      output_tokens: 4,
      cache_read_input_tokens: 500
    }),
    "had more in its cache than there was"
  ),
  "usage-cost-zero": fault(
    "answer",
    used({ prompt_tokens: 12, completion_tokens: 4, cost: 0 }),
    "says that it cost nothing"
  ),
  "usage-absurd": fault(
    "answer",
    used({ prompt_tokens: 1e12, completion_tokens: 1e12, input_tokens: 1e12, output_tokens: 1e12 }),
    "says that it used a million million tokens"
  ),
  "model-wrong": fault("answer", odd({ model: "gpt-2" }), "answers with another model than was asked", "wrongModel"),
  "model-missing": fault(
    "answer",
    odd({ model: undefined, id: undefined, created: undefined }),
    "does not say who answered"
  ),
  "id-constant": fault("answer", odd({ id: "1" }), "gives every answer the same id"),
  "streams-unasked": fault(
    "answer",
    both((wire) => stream([...wire.start(), wire.text(answer), ...wire.end()])),
    "streams although nobody asked it to"
  )
}

/**
 * @since 0.1.0
 * @category faults
 */
export const faults: Faults = { ...texts, ...shapes, ...endings, ...usages }
