/**
 * The files of the console's page, read once.
 *
 * @since 0.1.0
 */
import type * as HttpApp from "@effect/platform/HttpApp"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as Effect from "effect/Effect"
import { readFile } from "node:fs/promises"
import * as ConsoleReply from "./ConsoleReply.js"

/**
 * @since 0.1.0
 * @category models
 */
export interface File {
  readonly path: string
  readonly app: HttpApp.Default
}

const html = "text/html; charset=utf-8"
const script = "text/javascript; charset=utf-8"

/** Names and types; the first is the page itself. */
const names: ReadonlyArray<readonly [name: string, type: string]> = [
  ["index.html", html],
  ["console.css", "text/css; charset=utf-8"],
  ["icon.svg", "image/svg+xml"],
  ["console.js", script],
  ["calls.js", script],
  ["charts.js", script],
  ["clients.js", script],
  ["dom.js", script],
  ["form.js", script],
  ["result.js", script],
  ["server.js", script],
  ["state.js", script],
  ["tools.js", script]
]

/** The same from src/ops/internal and from dist/ops/internal; not at once, since a bundle may not know where it is. */
const place = (name: string): URL => new URL(`../../../src/ops/console/${name}`, import.meta.url)

/**
 * @since 0.1.0
 * @category constructors
 */
export const read = <E>(
  unreadable: (file: string, cause: unknown) => E
): Effect.Effect<ReadonlyArray<File>, E> =>
  Effect.forEach(names, ([name, contentType]) =>
    Effect.map(
      Effect.tryPromise({ try: () => readFile(place(name)), catch: (cause) => unreadable(name, cause) }),
      (bytes) => ({
        path: name === "index.html" ? "/" : `/console/${name}`,
        app: Effect.succeed(HttpServerResponse.uint8Array(bytes, { contentType, headers: ConsoleReply.headers }))
      })
    ), { concurrency: "unbounded" })
