/**
 * Chromium without a window, where it is installed, driven by its own protocol
 * over a pipe.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import type { ChildProcess } from "node:child_process"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { accessSync, constants, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { delimiter, join } from "node:path"
import type { Readable, Writable } from "node:stream"
import { describe, it } from "vitest"

const isExecutable = (path: string): boolean => {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

const binary = (process.env.PATH ?? "").split(delimiter)
  .flatMap((folder) => ["chromium", "chromium-browser", "google-chrome"].map((name) => join(folder, name)))
  .find(isExecutable)

/** A suite that needs it: skipped with a word where it is missing, failed where it may not be. */
export const suite = (name: string, body: () => void): void => {
  if (binary !== undefined) describe(name, body)
  else if (process.env.REQUIRE_SERVICES === "1") {
    describe(name, () =>
      it("needs chromium", () => {
        throw new Error("no chromium on the PATH: install Chromium")
      }))
  } else describe.skip(`${name} (no chromium on the PATH: install Chromium)`, body)
}

interface Message {
  readonly id?: number
  readonly method?: string
  readonly sessionId?: string
  readonly params?: Record<string, unknown>
  readonly result?: Record<string, unknown>
  readonly error?: { readonly message: string }
}

type Send = (method: string, params?: object, sessionId?: string) => Promise<Record<string, unknown>>

/** Speaks messages that end with a NUL. */
const speak = (child: ChildProcess, onEvent: (message: Message) => void): Send => {
  const [, , , input, output] = child.stdio as unknown as [null, null, null, Writable, Readable]
  const waiting = new Map<number, { resolve: (result: Record<string, unknown>) => void; reject: (e: Error) => void }>()
  let next = 1
  let rest = ""
  output.setEncoding("utf8").on("data", (chunk: string) => {
    const parts = (rest + chunk).split("\0")
    rest = parts.pop() ?? ""
    for (const part of parts) {
      const message = JSON.parse(part) as Message
      if (message.id === undefined) {
        onEvent(message)
        continue
      }
      const asked = waiting.get(message.id)
      waiting.delete(message.id)
      if (message.error === undefined) asked?.resolve(message.result ?? {})
      else asked?.reject(new Error(message.error.message))
    }
  })
  input.on("error", () => {})
  return (method, params = {}, sessionId) =>
    new Promise((resolve, reject) => {
      const id = next++
      waiting.set(id, { resolve, reject })
      input.write(`${JSON.stringify({ id, method, params, ...(sessionId === undefined ? {} : { sessionId }) })}\0`)
    })
}

export interface Page {
  /** What went wrong in the page: exceptions, errors of the console, violations of its policy. */
  readonly troubles: ReadonlyArray<string>
  /** The addresses that it asked for. */
  readonly requests: ReadonlyArray<string>
  readonly open: (url: string) => Effect.Effect<void>
  /** The value of a JavaScript expression in the page. */
  readonly get: (expression: string) => Effect.Effect<unknown>
  /** Waits until the expression is true; dies after fifteen seconds with what the page says. */
  readonly until: (expression: string) => Effect.Effect<void>
  readonly resize: (width: number, height: number, isDark?: boolean) => Effect.Effect<void>
  /** Writes what is seen as a picture. */
  readonly picture: (file: string) => Effect.Effect<void>
}

const textOf = (value: unknown): string => typeof value === "string" ? value : JSON.stringify(value)

/** A page in a browser of its own that ends with the scope. */
export const page: Effect.Effect<Page, never, Scope.Scope> = Effect.gen(function*() {
  const profile = yield* Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "causeway-browser-"))),
    // Its helpers may still write for a moment after it has ended.
    (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 }))
  )
  const child = yield* Effect.acquireRelease(
    Effect.sync(() =>
      spawn(binary ?? "chromium", [
        "--headless=new",
        "--remote-debugging-pipe",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--disable-background-networking",
        "--disable-component-update",
        "--no-first-run",
        `--user-data-dir=${profile}`
      ], { stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"], detached: true })
    ),
    (started) =>
      Effect.promise(async () => {
        if (started.exitCode !== null || started.signalCode !== null) return
        const ended = once(started, "exit")
        // With its helpers, which are of its group.
        if (started.pid !== undefined) process.kill(-started.pid, "SIGKILL")
        await ended
      })
  )
  const troubles: Array<string> = []
  const requests: Array<string> = []
  const send = speak(child, ({ method, params = {} }) => {
    if (method === "Runtime.exceptionThrown") troubles.push(textOf(params.exceptionDetails))
    if (method === "Runtime.consoleAPICalled" && params.type === "error") troubles.push(textOf(params.args))
    if (method === "Log.entryAdded") {
      const { level, text, url } = params.entry as { level: string; text: string; url?: string }
      if (level === "error" || level === "warning") troubles.push(`${text} ${url ?? ""}`)
    }
    if (method === "Network.requestWillBeSent") {
      requests.push((params.request as { readonly url: string }).url)
    }
  })
  const { targetId } = yield* Effect.promise(() => send("Target.createTarget", { url: "about:blank" }))
  const { sessionId } = yield* Effect.promise(() => send("Target.attachToTarget", { targetId, flatten: true }))
  const ask = (method: string, params: object = {}) => Effect.promise(() => send(method, params, String(sessionId)))
  for (const domain of ["Page", "Runtime", "Log", "Network"]) yield* ask(`${domain}.enable`)

  const get: Page["get"] = (expression) =>
    Effect.map(
      ask("Runtime.evaluate", { expression, awaitPromise: true, returnByValue: true }),
      ({ exceptionDetails, result }) => {
        if (exceptionDetails !== undefined) throw new Error(textOf(exceptionDetails))
        return (result as { readonly value?: unknown }).value
      }
    )
  return {
    troubles,
    requests,
    open: (url) => Effect.asVoid(ask("Page.navigate", { url })),
    get,
    until: (expression) =>
      // Between two pages there is nothing to look at.
      Effect.flatMap(get(`(() => { try { return ${expression} } catch { return false } })()`), (value) =>
        value === true ? Effect.void : Effect.fail("not yet")).pipe(
          Effect.retry(Schedule.spaced("50 millis")),
          Effect.timeoutFail({
            duration: "15 seconds",
            onTimeout: () =>
              "late"
          }),
          Effect.catchAll(() =>
            Effect.flatMap(
              get("document.body.innerText"),
              (text) =>
                Effect.dieMessage(`gave up waiting for ${expression}; the page says: ${String(text).slice(0, 3000)}`)
            )
          )
        ),
    resize: (width, height, isDark = false) =>
      Effect.zipRight(
        ask("Emulation.setDeviceMetricsOverride", { width, height, deviceScaleFactor: 1, mobile: false }),
        Effect.asVoid(ask("Emulation.setEmulatedMedia", {
          features: [{ name: "prefers-color-scheme", value: isDark ? "dark" : "light" }]
        }))
      ),
    picture: (file) =>
      Effect.map(
        ask("Page.captureScreenshot", { captureBeyondViewport: false }),
        ({ data }) => writeFileSync(file, Buffer.from(String(data), "base64"))
      )
  }
})
