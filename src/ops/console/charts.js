// @ts-check
/* global ResizeObserver */
/**
 * How long calls took and how many failed, drawn over the last quarter of an hour.
 */
import { byId, duration, h, percent, put, svg, timeOf } from "./dom.js"

/** @typedef {import("./state.js").Points} Points */
/** @typedef {import("./state.js").Total} Total */

const height = 150
const left = 46
const right = 8
const top = 8
const bottom = 20
/** Steps without a call that a line goes across: a minute. */
const gap = 12

/** The next number that people count in. @param {number} value */
const roundUp = (value) => {
  const power = 10 ** Math.floor(Math.log10(value))
  const step = [1, 2, 5, 10].find((step) => step * power >= value) ?? 10
  return step * power
}

/**
 * @param {number} width
 * @param {number} count
 * @param {number} most
 * @param {(value: number) => string} label
 */
const frame = (width, count, most, label) => {
  const inner = width - left - right
  const x = (/** @type {number} */ index) => left + (inner * (index + 0.5)) / count
  const y = (/** @type {number} */ value) => top + (height - top - bottom) * (1 - Math.min(1, value / most))
  const grid = [0, 0.5, 1].flatMap((part) => [
    svg("line", { class: "grid", x1: left, x2: width - right, y1: y(most * part), y2: y(most * part) }),
    svg("text", { class: "axis", x: left - 6, y: y(most * part) + 4, "text-anchor": "end" }, label(most * part))
  ])
  const marks = [[0, "15 min ago", "start"], [count / 2, "7½", "middle"], [count, "now", "end"]].map(([at, text, anchor]) =>
    svg("text", {
      class: "axis",
      x: left + (inner * Number(at)) / count,
      y: height - 5,
      "text-anchor": String(anchor)
    }, String(text))
  )
  return { x, y, step: inner / count, back: [...grid, ...marks] }
}

/**
 * A line through what is there, and a dot for what stands alone.
 *
 * @param {ReadonlyArray<number | null>} values
 * @param {(index: number) => number} x
 * @param {(value: number) => number} y
 * @param {string} kind
 */
const line = (values, x, y, kind) => {
  let path = ""
  let before = -Infinity
  const dots = []
  for (const [index, value] of values.entries()) {
    if (value === null) continue
    const isJoined = index - before <= gap
    path += `${isJoined ? "L" : "M"}${x(index).toFixed(1)} ${y(value).toFixed(1)}`
    const next = values.slice(index + 1, index + 1 + gap).some((value) => value !== null)
    if (!isJoined && !next) dots.push(svg("circle", { class: `dot ${kind}`, cx: x(index), cy: y(value), r: 2.5 }))
    before = index
  }
  return [svg("path", { class: `line ${kind}`, d: path === "" ? "M0 0" : path }), ...dots]
}

/** @param {Points} points @param {number} index */
const momentOf = (points, index) => timeOf(points.until - (points.calls.length - index) * points.stepMillis)

/**
 * @param {Element} element
 * @param {Element} caption
 * @param {Points} points
 * @param {{ readonly most: number, readonly label: (value: number) => string, readonly draw: (at: ReturnType<typeof frame>) => ReadonlyArray<Node>, readonly title: ReadonlyArray<import("./dom.js").Child>, readonly says: (index: number) => string, readonly summary: string }} chart
 */
const show = (element, caption, points, { draw, label, most, says, summary, title }) => {
  const width = Math.max(240, element.clientWidth)
  const count = points.calls.length
  const at = frame(width, count, most, label)
  const pointer = svg("line", { class: "pointer", x1: -1, x2: -1, y1: top, y2: height - bottom })
  const read = h("span", { class: "quiet reading" })
  const root = svg(
    "svg",
    {
      viewBox: `0 0 ${width} ${height}`,
      width,
      height,
      role: "img",
      "aria-label": summary,
      pointermove: (event) => {
        const { clientX } = /** @type {PointerEvent} */ (event)
        const index = Math.floor((clientX - root.getBoundingClientRect().left - left) / at.step)
        if (index < 0 || index >= count) return
        pointer.setAttribute("x1", String(at.x(index)))
        pointer.setAttribute("x2", String(at.x(index)))
        read.textContent = `${momentOf(points, index)}: ${says(index)}`
      },
      pointerleave: () => {
        pointer.setAttribute("x1", "-1")
        pointer.setAttribute("x2", "-1")
        read.textContent = ""
      }
    },
    ...at.back,
    ...draw(at),
    pointer
  )
  put(element, root)
  put(caption, ...title, read)
}

/** @param {ReadonlyArray<number | null>} values */
const highest = (values) => values.reduce((/** @type {number} */ most, value) => Math.max(most, value ?? 0), 0)

/** @param {Points} points @param {Total} total */
const latency = (points, total) =>
  show(byId("latency"), byId("latency-caption"), points, {
    most: roundUp(Math.max(10, highest(points.p99))),
    label: duration,
    draw: ({ x, y }) => [...line(points.p99, x, y, "p99"), ...line(points.p50, x, y, "p50")],
    title: [h("strong", {}, "How long calls take"), h("span", { class: "legend p50" }, "p50"), h("span", { class: "legend p99" }, "p99")],
    says: (index) => `p50 ${duration(points.p50[index])}, p99 ${duration(points.p99[index])}`,
    summary: `Over 15 minutes p50 was ${duration(total.p50)} and p99 ${duration(total.p99)}.`
  })

/** @param {Points} points @param {Total} total */
const errors = (points, total) => {
  const shares = points.calls.map((calls, index) => calls === 0 ? null : (points.failures[index] ?? 0) / calls)
  const most = Math.min(1, roundUp(Math.max(0.1, highest(shares))))
  show(byId("errors"), byId("errors-caption"), points, {
    most,
    label: percent,
    draw: ({ step, x, y }) =>
      shares.flatMap((share, index) => {
        if (share === null) return []
        const at = { x: x(index) - step / 2, width: Math.max(1, step - 0.5) }
        return [
          svg("rect", { class: "called", ...at, y: y(0) - 2, height: 2 }),
          svg("rect", { class: "failed", ...at, y: y(share), height: y(0) - y(share) })
        ]
      }),
    title: [h("strong", {}, "Share of calls that fail"), h("span", { class: "legend failed" }, "failed")],
    says: (index) => `${points.failures[index]} of ${points.calls[index]} calls failed`,
    summary: `Over 15 minutes ${total.failures} of ${total.calls} calls failed.`
  })
}

/** @type {{ readonly points: Points, readonly total: Total } | undefined} */
let last

const draw = () => {
  if (last === undefined) return
  latency(last.points, last.total)
  errors(last.points, last.total)
}

/** Follows the width of the page. */
export const follow = () => new ResizeObserver(draw).observe(byId("overview"))

/** @param {Points | undefined} points @param {Total} total */
export const render = (points, total) => {
  if (points === undefined) {
    last = undefined
    for (const name of ["latency", "errors"]) {
      put(byId(`${name}-caption`))
      put(byId(name), h("p", { class: "quiet" }, "No figures: this server has no CallLog, or the tool none of its own."))
    }
    return
  }
  last = { points, total }
  draw()
}
