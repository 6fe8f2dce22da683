// @ts-check
/* global document, setTimeout, clearTimeout */
/**
 * The page: asks for the state every two seconds while somebody looks, and draws
 * what came.
 */
import * as Calls from "./calls.js"
import * as Charts from "./charts.js"
import * as Clients from "./clients.js"
import { byId, choices, put, timeOf } from "./dom.js"
import * as Server from "./server.js"
import { hasKey, load, useKey } from "./state.js"
import * as Tools from "./tools.js"

/** @typedef {import("./state.js").State} State */

const every = 2000

/** @type {ReturnType<typeof setTimeout> | undefined} */
let timer
let lastSeen = 0
/** Counts the looks: what the last one brings is drawn. */
let round = 0
/** Whether somebody is to type a key, and nothing is to be asked meanwhile. */
let isAsking = false

const main = byId("main")
const key = byId("key")
const keyText = /** @type {HTMLInputElement} */ (byId("key-text"))
const charted = /** @type {HTMLSelectElement} */ (byId("charted"))

/** @param {string} text @param {"bad" | "fair"} [kind] */
const notify = (text, kind = "bad") => {
  const notice = byId("notice")
  notice.hidden = text === ""
  notice.className = `notice ${kind}`
  if (notice.textContent !== text) notice.textContent = text
}

/** @param {string} why */
const askForKey = (why) => {
  main.hidden = true
  byId("sections").hidden = true
  byId("key-why").textContent = why
  key.hidden = false
  isAsking = true
  keyText.focus()
}

/** @param {State} state */
const draw = (state) => {
  lastSeen = Date.now()
  isAsking = false
  key.hidden = true
  main.hidden = false
  byId("sections").hidden = false
  main.classList.remove("stale")
  document.title = `${state.server.title ?? state.server.name} · console`
  notify(state.lifecycle?.state === "draining" ? "The server is about to stop: it takes no new clients." : "", "fair")
  Tools.render(state)
  const { calls } = state
  choices(charted, [["", "all tools"], ...(calls?.tools ?? []).map(({ tool }) => /** @type {const} */ ([tool, tool]))])
  Server.render(state)
  const total = calls?.tools.find(({ tool }) => tool === calls.tool) ?? calls?.total
  Charts.render(calls?.points, total ?? { calls: 0, failures: 0, p50: null, p99: null })
  Calls.render(calls?.recent)
  Clients.render(state)
}

/** @param {string} message */
const refused = (message) => `The server does not show it: ${message}`

const look = async () => {
  clearTimeout(timer)
  const mine = ++round
  const answer = await load(Tools.known(), charted.value)
  if (mine !== round) return
  if (answer.is === "ok") draw(answer.value)
  else if (answer.is === "away") {
    main.classList.add("stale")
    put(byId("standing"))
    notify(
      lastSeen === 0
        ? "The server does not answer. Trying again …"
        : `The server does not answer; this is how it was at ${timeOf(lastSeen)}. Trying again …`
    )
  } else if (answer.status === 401) {
    notify("")
    askForKey(hasKey() ? `That one does not do: ${answer.message}.` : "This server asks callers for a key.")
  } else if (answer.status === 403 && hasKey()) {
    notify("")
    askForKey(`That one may not see this: ${answer.message}.`)
  } else {
    main.classList.add("stale")
    notify(refused(answer.message))
  }
  // Whoever is to type a key is not to be refused meanwhile, nor is every try to count as a guess.
  if (!isAsking && !document.hidden) timer = setTimeout(look, every)
}

key.addEventListener("submit", (event) => {
  event.preventDefault()
  const isKey = useKey(keyText.value)
  keyText.value = ""
  if (!isKey) return askForKey("A key has no spaces and no letters beyond ASCII.")
  isAsking = false
  void look()
})
document.addEventListener("visibilitychange", () => {
  if (document.hidden) clearTimeout(timer)
  else if (!isAsking) void look()
})
charted.addEventListener("change", () => void look())
Charts.follow()
Calls.follow()
void look()
