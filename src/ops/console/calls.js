// @ts-check
/**
 * The last calls, as a table to look through.
 */
import { byId, choices, duration, h, percent, pill, putIfNew, timeOf } from "./dom.js"

/** @typedef {import("./state.js").Entry} Entry */

const mostRows = 100

/** @type {Readonly<Record<string, string>>} */
const kinds = { answered: "good", failed: "bad", error: "bad", paused: "fair", interrupted: "fair" }

const names = ["Time", "Tool", "Outcome", "Took", "Sure", "Caller", "What policies did", "Request"]

/** @param {Entry} entry */
const rowOf = (entry) =>
  h(
    "tr",
    {},
    h("td", { "data-label": "time", class: "nowrap" }, timeOf(entry.at)),
    h("td", { "data-label": "tool" }, h("span", { class: "code" }, entry.tool), !entry.isKnown && pill("unknown", "fair")),
    h(
      "td",
      { "data-label": "outcome" },
      pill(entry.code === undefined ? entry.outcome : `${entry.outcome} ${entry.code}`, kinds[entry.outcome] ?? ""),
      entry.isDegraded && pill("degraded", "fair"),
      entry.isCached && pill("kept"),
      entry.isTask && pill("task")
    ),
    h("td", { "data-label": "took", class: "nowrap number" }, duration(entry.millis)),
    h("td", { "data-label": "sure", class: "nowrap number" }, entry.confidence === undefined ? "–" : percent(entry.confidence)),
    h("td", { "data-label": "caller" }, entry.caller),
    h("td", { "data-label": "policies" }, entry.steps.length === 0 ? "–" : entry.steps.join(", ")),
    h("td", { "data-label": "request", class: "code quiet" }, entry.requestId)
  )

/** @type {ReadonlyArray<Entry> | undefined} */
let last

const draw = () => {
  const tool = /** @type {HTMLSelectElement} */ (byId("filter-tool")).value
  const outcome = /** @type {HTMLSelectElement} */ (byId("filter-outcome")).value
  const shown = (last ?? []).filter((entry) =>
    (tool === "" || (tool === "?" ? !entry.isKnown : entry.isKnown && entry.tool === tool.slice(1))) &&
    (outcome === "" || entry.outcome === outcome)
  )
  putIfNew(byId("call-table"), [shown, last === undefined], () => {
    if (last === undefined) return [h("p", { class: "quiet" }, "Calls are not kept: this server has no CallLog.")]
    if (shown.length === 0) {
      return [h("p", { class: "quiet" }, last.length === 0 ? "No tool has been called yet." : "No call is like that.")]
    }
    return [
      h(
        "table",
        {},
        h("thead", {}, h("tr", {}, ...names.map((name) => h("th", { scope: "col" }, name)))),
        h("tbody", {}, ...shown.slice(0, mostRows).map(rowOf))
      ),
      shown.length > mostRows && h("p", { class: "quiet" }, `${shown.length - mostRows} older ones are not shown.`)
    ]
  })
}

/** @param {ReadonlyArray<Entry> | undefined} entries */
export const render = (entries) => {
  last = entries
  const tools = [...new Set((entries ?? []).filter(({ isKnown }) => isKnown).map(({ tool }) => tool))].sort()
  const hasUnknown = (entries ?? []).some(({ isKnown }) => !isKnown)
  choices(byId("filter-tool"), [
    ["", "any"],
    ...tools.map((tool) => /** @type {const} */ ([`=${tool}`, tool])),
    ...(hasUnknown ? [/** @type {const} */ (["?", "unknown ones"])] : [])
  ])
  const outcomes = [...new Set((entries ?? []).map(({ outcome }) => outcome))].sort()
  choices(byId("filter-outcome"), [["", "any"], ...outcomes.map((name) => /** @type {const} */ ([name, name]))])
  draw()
}

/** Looks again whenever another filter is chosen. */
export const follow = () => {
  for (const id of ["filter-tool", "filter-outcome"]) byId(id).addEventListener("change", draw)
}
