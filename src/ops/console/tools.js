// @ts-check
/* global location, history */
/**
 * The list of tools, one of them whole, and a form to run it.
 */
import { byId, h, pill, put, putIfNew, wordsOf } from "./dom.js"
import * as Form from "./form.js"
import * as Result from "./result.js"
import { call } from "./state.js"

/** @typedef {import("./state.js").State} State */
/** @typedef {import("./state.js").Tool} Tool */
/** @typedef {import("./state.js").Plan} Plan */

/** @type {ReadonlyArray<Tool>} */
let tools = []
/** @type {ReadonlyArray<Plan>} */
let plans = []
let version = ""
let chosen = ""

/** The version of the tools that are shown. */
export const known = () => version

/** @param {Tool} tool */
const safetyOf = (tool) => {
  const plan = plans.find((plan) => plan.tool === tool.name)
  if (plan !== undefined) return plan.safety
  const { idempotentHint, readOnlyHint } = tool.annotations ?? {}
  return readOnlyHint === true ? "readOnly" : idempotentHint === true ? "idempotent" : "effectful"
}

/** @type {Readonly<Record<string, string>>} */
const safetyWords = { readOnly: "reads only", idempotent: "safe to repeat", effectful: "changes things" }

/** @param {string} safety */
const safetyPill = (safety) => pill(safetyWords[safety] ?? safety, safety === "effectful" ? "fair" : "")

/** @param {State} state @param {string} name */
const lackOf = (state, name) => {
  const gone = state.unavailable.find(({ tool }) => tool === name)
  if (gone !== undefined) return { kind: "bad", text: `unavailable: without ${gone.without.join(", ")}` }
  const less = state.degraded.find(({ tool }) => tool === name)
  return less === undefined ? undefined : { kind: "fair", text: `degraded: without ${less.without.join(", ")}` }
}

/** @param {string} title @param {unknown} schema */
const schemaOf = (title, schema) =>
  schema !== undefined &&
  h("details", { class: "raw" }, h("summary", {}, title), h("pre", {}, JSON.stringify(schema, undefined, 2)))

/** @param {Plan | undefined} plan */
const planOf = (plan) =>
  plan !== undefined && h(
    "details",
    { class: "raw" },
    h("summary", {}, `What stands around it${plan.warnings.length === 0 ? "" : `, with ${plan.warnings.length} to heed`}`),
    plan.warnings.length > 0 && h("ul", { class: "fair" }, ...plan.warnings.map((warning) => h("li", {}, warning))),
    h(
      "table",
      {},
      h("thead", {}, h("tr", {}, ...["Policy", "What it does", "Set on"].map((text) => h("th", { scope: "col" }, text)))),
      h(
        "tbody",
        {},
        ...plan.steps.map(({ from, name, says }) =>
          h(
            "tr",
            {},
            h("th", { scope: "row", class: "code" }, name),
            h("td", { "data-label": "does" }, says),
            h("td", { "data-label": "set on" }, from)
          )
        )
      )
    )
  )

/** @param {Tool} tool @param {State} state */
const runner = (tool, state) => {
  const form = Form.make(tool.inputSchema)
  const output = h("div", { id: "result", class: "result", "aria-live": "polite" })
  const { callScopes, mayCall } = state.caller
  const button = h("button", { type: "submit", class: "primary", disabled: !mayCall }, "Run")
  const trouble = h("p", { class: "bad", role: "alert" })

  const run = async () => {
    trouble.textContent = ""
    let given
    try {
      given = form.read()
    } catch (error) {
      trouble.textContent = wordsOf(error)
      return
    }
    button.disabled = true
    put(output, h("p", { class: "quiet" }, "Running …"))
    const answer = await call(tool.name, given)
    button.disabled = false
    if (answer.is === "ok") put(output, ...Result.show(answer.value, open))
    else {
      const words = answer.is === "away" ? "The server did not answer." : `Not run: ${answer.message}.`
      put(output, h("p", { class: "bad" }, words))
    }
  }
  return h(
    "div",
    {},
    h(
      "form",
      {
        id: "try",
        novalidate: true,
        submit: (event) => {
          event.preventDefault()
          if (!button.disabled) void run()
        }
      },
      h("h4", {}, "Try it"),
      form.element,
      h("div", { class: "row" }, button, safetyOf(tool) === "effectful" && h("span", { class: "fair" }, "This changes things.")),
      !mayCall && h("p", { class: "quiet" }, `To run it your key needs ${callScopes.join(", ")}.`),
      trouble
    ),
    output
  )
}

/** @param {Tool} tool @param {State} state */
const details = (tool, state) => {
  const plan = plans.find((plan) => plan.tool === tool.name)
  const scopes = plan?.scopes ?? []
  const requires = plan?.requires ?? []
  return [
    h("h3", { id: "tool-name", tabindex: "-1" }, tool.title ?? tool.name),
    h(
      "p",
      { class: "pills" },
      tool.title !== undefined && h("span", { class: "code" }, tool.name),
      safetyPill(safetyOf(tool)),
      ...scopes.map((scope) => pill(`scope ${scope}`)),
      ...requires.map((source) => pill(`requires ${source}`)),
      ...(plan?.uses ?? []).map((source) => pill(`uses ${source}`))
    ),
    h("p", { class: "prose" }, tool.description ?? ""),
    runner(tool, state),
    planOf(plan),
    schemaOf("What it takes, as JSON Schema", tool.inputSchema),
    schemaOf("What it gives, as JSON Schema", tool.outputSchema)
  ]
}

/** @type {State | undefined} */
let last

/** Shows a tool whole. @param {string} name */
export const open = (name) => {
  chosen = name
  if (last !== undefined) render(last)
  history.replaceState(null, "", `#tool=${encodeURIComponent(name)}`)
  byId("tool-name").focus()
}

/** What stands behind `#tool=`, which anybody may have written. */
const named = () => {
  try {
    return decodeURIComponent(/^#tool=(.+)$/u.exec(location.hash)?.[1] ?? "")
  } catch {
    return ""
  }
}

/** @param {State} state */
export const render = (state) => {
  last = state
  if (state.tools.list !== undefined) {
    tools = state.tools.list
    plans = state.tools.plans ?? []
  }
  version = state.tools.version
  if (chosen === "") chosen = named()
  const tool = tools.find(({ name }) => name === chosen) ?? tools[0]
  chosen = tool?.name ?? ""

  const lacks = tools.map(({ name }) => lackOf(state, name))
  putIfNew(byId("tool-list"), [version, lacks, chosen], () =>
    tools.length === 0 ? [h("p", { class: "quiet" }, "There are no tools you may use.")] : [
      h(
        "ul",
        { "aria-label": "Tools" },
        ...tools.map((tool, index) => {
          const lack = lacks[index]
          return h(
            "li",
            {},
            h(
              "button",
              {
                type: "button",
                class: "choice",
                "aria-current": tool.name === chosen ? "true" : undefined,
                click: () => open(tool.name)
              },
              h("span", { class: "code" }, tool.name),
              lack !== undefined && h("span", { class: `lack ${lack.kind}` }, lack.text)
            )
          )
        })
      )
    ])
  const plan = plans.find((plan) => plan.tool === tool?.name)
  // What was typed into the form stays until the tool itself is another one.
  putIfNew(byId("tool"), [tool, plan, state.caller], () =>
    tool === undefined ? [h("p", { class: "quiet" }, "Nothing to show.")] : details(tool, state))
}

/** The names of the tools that are shown. */
export const names = () => tools.map(({ name }) => name)
