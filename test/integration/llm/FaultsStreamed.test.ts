import { breaksOff, failsOver } from "./catalogue.js"

/** What goes wrong when a text was out already. */
const late: ReadonlySet<string> = new Set([
  "stream-stall",
  "stream-stall-keep-alive",
  "stream-stall-then-resume",
  "stream-stall-then-close",
  "stream-cut-after-1-token",
  "stream-cut-after-40-tokens",
  "stream-reset-after-1-token",
  "stream-done-without-finish",
  "stream-no-stop-reason",
  "stream-error-event",
  "stream-error-code",
  "stream-finish-error",
  "stream-finish-length",
  "stream-finish-content-filter",
  "stream-malformed-event",
  "stream-event-no-object",
  "stream-utf-8-invalid",
  "stream-line-2-mb",
  "stream-endless",
  "stream-100k-tokens"
])

for (const api of ["chat", "messages"] as const) {
  const way = { api, wire: "text" } as const
  failsOver(`a stream of a chain by ${api}`, way, (name) => !late.has(name))
  breaksOff(`a stream of a chain by ${api}, after its first text`, way, late)
}
