// @ts-check
/**
 * Shows what a tool answered: how sure it is and where it comes from first, then
 * the answer, then the message as it came.
 */
import { duration, h, isRecord, link, percent, pill, svg } from "./dom.js"

const mostDepth = 6
const mostItems = 100
/** As many are seen at once. */
const firstSources = 4

/** What is said in a word or two. @param {unknown} value */
const isShort = (value) => typeof value !== "object" && (typeof value !== "string" || value.length <= 40)

/** What a thing is called, as far as it says. @param {unknown} value @param {number} index */
const titleOf = (value, index) => {
  const { id, label, name, title } = isRecord(value) ? value : {}
  const found = [title, name, label, id].find((text) => typeof text === "string" && text !== "")
  return `${index + 1}. ${typeof found === "string" ? found : ""}`
}

/** @param {unknown} value */
const single = (value) => {
  if (typeof value === "string") return h("span", { class: "prose" }, value)
  const text = typeof value === "number" && !Number.isInteger(value) ? Number(value.toPrecision(6)) : value
  return h("span", { class: "code" }, String(text))
}

/**
 * @param {ReadonlyArray<unknown>} items
 * @param {number} depth
 */
const list = (items, depth) => {
  if (items.every(isShort)) return h("span", {}, items.map(String).join(", "))
  if (items.every(isRecord)) {
    return h("div", { class: "items" }, ...items.map((item, index) =>
      h("details", { open: items.length === 1 }, h("summary", {}, titleOf(item, index)), structure(item, depth + 1))))
  }
  return h("ol", {}, ...items.map((item) => h("li", {}, structure(item, depth + 1))))
}

/**
 * @param {unknown} value
 * @param {number} [depth]
 * @returns {Node}
 */
const structure = (value, depth = 0) => {
  if (typeof value !== "object" || value === null) return single(value)
  if (depth >= mostDepth) return h("pre", {}, JSON.stringify(value, undefined, 2))
  const entries = Object.entries(value)
  if (entries.length === 0) return h("span", { class: "quiet" }, Array.isArray(value) ? "an empty list" : "nothing")
  const rest = entries.length - mostItems
  const more = rest > 0 && h("p", { class: "quiet" }, `${rest} more; see the message`)
  const shown = entries.slice(0, mostItems)
  return h(
    "div",
    {},
    Array.isArray(value)
      ? list(shown.map(([, item]) => item), depth)
      : h("dl", {}, ...shown.flatMap(([name, item]) => [h("dt", {}, name), h("dd", {}, structure(item, depth + 1))])),
    more
  )
}

/** @param {unknown} value */
const message = (value) =>
  h("details", { class: "raw" }, h("summary", {}, "The message as it came"), h("pre", {}, JSON.stringify(value, undefined, 2)))

/** @param {number} confidence @param {unknown} calibration */
const sureness = (confidence, calibration) => {
  const share = Math.min(1, Math.max(0, confidence))
  const kind = share >= 0.7 ? "good" : share >= 0.4 ? "fair" : "bad"
  return h(
    "div",
    { class: "sure" },
    h("span", { class: `figure ${kind}`, id: "confidence" }, percent(share)),
    h(
      "div",
      {},
      h("div", { class: "quiet" }, calibration === "uncalibrated" ? "confidence, not calibrated" : "confidence"),
      svg(
        "svg",
        { class: `meter ${kind}`, viewBox: "0 0 100 6", preserveAspectRatio: "none", "aria-hidden": "true" },
        svg("rect", { class: "rail", width: 100, height: 6, rx: 3 }),
        svg("rect", { class: "level", width: share * 100, height: 6, rx: 3 })
      )
    )
  )
}

/** @param {unknown} source */
const sourceOf = (source) => {
  const { cached, confidence, id, kind, publishedAt, title, uri } = isRecord(source) ? source : {}
  return h(
    "li",
    {},
    h("strong", {}, typeof title === "string" ? title : String(id)),
    " ",
    pill(String(kind)),
    cached === true && pill("kept", "fair"),
    typeof confidence === "number" && pill(percent(confidence)),
    h(
      "div",
      { class: "quiet" },
      typeof title === "string" && h("span", { class: "code" }, `${String(id)} `),
      typeof publishedAt === "string" && `published ${publishedAt.slice(0, 10)} `,
      typeof uri === "string" && link(uri)
    )
  )
}

/** @param {unknown} block */
const blockOf = (block) => {
  const { mimeType, text, type } = isRecord(block) ? block : {}
  if (type === "text" && typeof text === "string") return h("pre", { class: "prose" }, text)
  return h("p", { class: "quiet" }, `${String(type)}${typeof mimeType === "string" ? `, ${mimeType}` : ""}: see the message`)
}

/** @param {number} millis @param {string} word @param {string} kind */
const line = (millis, word, kind) => h("p", { class: "outcome" }, pill(word, kind), ` after ${duration(millis)}`)

/** @param {unknown} error @param {number} millis */
const protocolError = (error, millis) => {
  const { code, message } = isRecord(error) ? error : {}
  return [line(millis, "refused", "bad"), h("p", { class: "bad" }, `${String(message)} (${String(code)})`)]
}

/** @param {Readonly<Record<string, unknown>>} result @param {number} millis @param {(tool: string) => void} open */
const failure = (result, millis, open) => {
  const meta = isRecord(result._meta) ? result._meta["dev.causeway/error"] : undefined
  const content = Array.isArray(result.content) ? result.content : []
  if (!isRecord(meta)) return [line(millis, "failed", "bad"), ...content.map(blockOf)]
  const { code, details, fallback, message, retryable, retryAfterMs } = meta
  const other = isRecord(fallback) && typeof fallback.tool === "string" ? fallback.tool : undefined
  return [
    line(millis, `failed: ${String(code)}`, "bad"),
    h("p", { class: "bad" }, String(message)),
    retryable === true && h(
      "p",
      { class: "quiet" },
      typeof retryAfterMs === "number" ? `Worth another try in ${duration(retryAfterMs)}.` : "Worth another try."
    ),
    isRecord(fallback) && other !== undefined && h(
      "p",
      {},
      h("button", { type: "button", click: () => open(other) }, `Open ${other}`),
      ` ${String(fallback.why)}`
    ),
    details !== undefined && structure(details)
  ]
}

/** @param {Readonly<Record<string, unknown>>} result @param {number} millis */
const success = (result, millis) => {
  const { content, structuredContent: answer } = result
  const blocks = Array.isArray(content) ? content : []
  if (!isRecord(answer) || typeof answer.confidence !== "number" || !Array.isArray(answer.sources)) {
    return [line(millis, "answered", "good"), ...(answer === undefined ? blocks.map(blockOf) : [structure(answer)])]
  }
  const { calibration, confidence, data, degraded, sources } = answer
  return [
    line(millis, isRecord(degraded) ? "answered, degraded" : "answered", isRecord(degraded) ? "fair" : "good"),
    isRecord(degraded) && h(
      "p",
      { class: "fair" },
      `${String(degraded.reason)}${
        Array.isArray(degraded.missing) && degraded.missing.length > 0 ? ` Missing: ${degraded.missing.join(", ")}.` : ""
      }`
    ),
    sureness(confidence, calibration),
    h("h4", {}, sources.length === 1 ? "Source" : `${sources.length} sources`),
    h("ol", { class: "sources" }, ...sources.slice(0, firstSources).map(sourceOf)),
    sources.length > firstSources && h(
      "details",
      { class: "raw" },
      h("summary", {}, `${sources.length - firstSources} more`),
      h("ol", { class: "sources", start: firstSources + 1 }, ...sources.slice(firstSources, mostItems).map(sourceOf))
    ),
    h("h4", {}, "Answer"),
    structure(data)
  ]
}

/**
 * @param {Readonly<Record<string, unknown>>} reply what `/console/call` gave
 * @param {(tool: string) => void} open shows another tool
 * @returns {ReadonlyArray<import("./dom.js").Child>}
 */
export const show = (reply, open) => {
  const { error, result } = reply
  const millis = typeof reply.millis === "number" ? reply.millis : 0
  if (!isRecord(result)) return [...protocolError(error, millis), message(error)]
  return [...(result.isError === true ? failure(result, millis, open) : success(result, millis)), message(result)]
}
