// @ts-check
/**
 * How the server is: its standing, figures, sources and models.
 */
import { ago, byId, duration, h, percent, pill, put, putIfNew } from "./dom.js"

/** @typedef {import("./state.js").State} State */

/** @type {Readonly<Record<string, string>>} */
const standings = { starting: "fair", ready: "good", draining: "bad" }

const pressures = ["", "background calls turned away", "most calls turned away", "all calls turned away"]

/** @param {State} state */
const standing = ({ health, lifecycle, pressure }) => {
  const down = health.sources.filter(({ status }) => status === "down").length
  const level = pressure?.level ?? 0
  return [
    lifecycle !== undefined && pill(lifecycle.state, standings[lifecycle.state] ?? ""),
    down === 0 ? pill("sources up", "good") : pill(`${down} of ${health.sources.length} sources down`, "bad"),
    level > 0 && pill(pressures[level] ?? "overloaded", "bad"),
    pressure !== undefined && pill(
      `loop ${duration(pressure.loopDelayMs)} · heap ${percent(pressure.heapRatio)}`,
      level > 0 ? "bad" : ""
    )
  ]
}

/** @param {State} state */
const tilesOf = ({ calls }) => {
  if (calls === undefined) return []
  const { tool, tools } = calls
  const total = tool === undefined ? calls.total : tools.find((each) => each.tool === tool) ?? calls.total
  const share = total.calls === 0 ? 0 : total.failures / total.calls
  /** @type {ReadonlyArray<readonly [string, string, string]>} */
  const figures = [
    ["calls", total.calls.toLocaleString("en"), ""],
    ["failed", percent(share), share > 0.05 ? "bad" : share > 0 ? "fair" : ""],
    ["p50", duration(total.p50), ""],
    ["p99", duration(total.p99), (total.p99 ?? 0) > 2000 ? "bad" : ""]
  ]
  return figures.map(([name, value, kind]) =>
    h("div", { class: "card tile" }, h("div", { class: `figure ${kind}` }, value), h("div", { class: "quiet" }, name))
  )
}

/** @param {ReadonlyArray<string>} names @param {ReadonlyArray<HTMLTableRowElement>} rows */
const table = (names, rows) =>
  h(
    "table",
    {},
    h("thead", {}, h("tr", {}, ...names.map((name) => h("th", { scope: "col" }, name)))),
    h("tbody", {}, ...rows)
  )

/** @param {State} state */
const sources = ({ health, now }) =>
  health.sources.length === 0 ? [h("p", { class: "quiet" }, "No source is watched.")] : [
    table(
      ["Source", "Status", "For", "Answered in"],
      health.sources.map((source) =>
        h(
          "tr",
          {},
          h("th", { scope: "row" }, source.name, h("div", { class: "quiet" }, source.kind)),
          h(
            "td",
            { "data-label": "status" },
            pill(source.status, source.status === "up" ? "good" : "bad"),
            source.description !== undefined && h("div", { class: "quiet" }, source.description)
          ),
          h("td", { "data-label": "for", class: "nowrap" }, ago(source.since, now)),
          h("td", { "data-label": "answered in" }, source.status === "up" ? duration(source.latencyMs) : "–")
        )
      )
    )
  ]

/** @type {Readonly<Record<string, string>>} */
const breakers = { closed: "good", halfOpen: "fair", "half-open": "fair", open: "bad" }

/** @param {State} state */
const models = ({ models }) =>
  models.length === 0 ? [h("p", { class: "quiet" }, "No model provider is configured.")] : [
    table(
      ["Model", "Breaker", "In flight", "Latency", "Succeeds"],
      models.map((model) =>
        h(
          "tr",
          {},
          h("th", { scope: "row" }, model.model, h("div", { class: "quiet" }, model.provider)),
          h(
            "td",
            { "data-label": "breaker" },
            pill(model.breaker, breakers[model.breaker] ?? "fair"),
            model.restsForMs !== undefined && h(
              "div",
              { class: "fair" },
              `rests for ${duration(model.restsForMs)}${model.because === undefined ? "" : `: ${model.because}`}`
            )
          ),
          h("td", { "data-label": "in flight", class: "nowrap" }, model.inFlight, h("div", { class: "quiet" }, `${percent(model.headroom)} free`)),
          h("td", { "data-label": "latency", class: "nowrap" }, duration(model.latencyMs)),
          h("td", { "data-label": "succeeds", class: "nowrap" }, percent(model.successRate))
        )
      )
    )
  ]

/** @param {State} state */
export const render = (state) => {
  const { server } = state
  const name = server.title ?? server.name
  byId("server-name").textContent = name
  byId("server-version").textContent = `${server.title === undefined ? "" : `${server.name} `}${server.version}`
  put(byId("standing"), ...standing(state))
  put(byId("tiles"), ...tilesOf(state))
  putIfNew(byId("sources"), [state.health, Math.floor(Date.parse(state.now) / 10_000)], () => sources(state))
  putIfNew(byId("models"), state.models, () => models(state))
}
