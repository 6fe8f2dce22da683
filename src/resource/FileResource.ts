/**
 * The regular files below one directory as resources, and nothing beside them.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import { constants } from "node:fs"
import type { FileHandle } from "node:fs/promises"
import * as FileSystem from "node:fs/promises"
import * as Path from "node:path"
import type { Annotations, CacheHint, Icon } from "../protocol/McpSchema.js"
import * as McpResource from "./McpResource.js"
import type { ResourceError } from "./ResourceError.js"
import { notFound, unavailable } from "./ResourceError.js"

/**
 * @since 0.1.0
 * @category configuration
 */
export interface Options {
  /** The directory. Symbolic links below it are followed as long as they stay below it. */
  readonly root: string
  /** What stands before a file's path in its URI, for example `handbook://`. */
  readonly uriPrefix: string
  /** MIME types by lower-case extension without the dot, beside the usual ones. */
  readonly mimeTypes?: { readonly [extension: string]: string }
  /** The largest file that is served, in bytes; 1 MiB unless given. */
  readonly maxBytes?: number
  /** `files` unless given. */
  readonly name?: string
  readonly title?: string
  readonly description?: string
  readonly annotations?: Annotations
  readonly icons?: ReadonlyArray<Icon>
  readonly scopes?: ReadonlyArray<string>
  readonly cache?: CacheHint
}

const usualMimeTypes: ReadonlyMap<string, string> = new Map([
  ["css", "text/css"],
  ["csv", "text/csv"],
  ["gif", "image/gif"],
  ["htm", "text/html"],
  ["html", "text/html"],
  ["jpeg", "image/jpeg"],
  ["jpg", "image/jpeg"],
  ["js", "text/javascript"],
  ["json", "application/json"],
  ["md", "text/markdown"],
  ["pdf", "application/pdf"],
  ["png", "image/png"],
  ["svg", "image/svg+xml"],
  ["txt", "text/plain"],
  ["webp", "image/webp"],
  ["xml", "application/xml"],
  ["yaml", "application/yaml"],
  ["yml", "application/yaml"]
])

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

/** The text that the bytes are, if they are any. */
const textOf = (bytes: Uint8Array): string | undefined => {
  if (bytes.includes(0)) return undefined
  try {
    return utf8.decode(bytes)
  } catch {
    return undefined
  }
}

const noSuchFile: ReadonlySet<unknown> = new Set([
  "ENOENT",
  "ENOTDIR",
  "ELOOP",
  "ENAMETOOLONG",
  "EISDIR",
  "EINVAL",
  "ENXIO",
  "EACCES",
  "EPERM"
])

/** That a file may not be read is nobody's business but the operator's. */
const attempt = <A>(run: () => Promise<A>): Effect.Effect<A, ResourceError> =>
  Effect.tryPromise({
    try: run,
    catch: (cause) =>
      cause instanceof Error && "code" in cause && noSuchFile.has(cause.code)
        ? notFound()
        : unavailable("The file cannot be read now. Try again shortly.", cause)
  })

/** Names, each a plain one: no step up, no separator but `/`, no device, nothing absolute. */
const isPlain = (path: string): boolean =>
  !path.includes("\0") && !path.includes("\\") && !(Path.sep === "\\" && path.includes(":")) &&
  path.split("/").every((name) => name !== "" && name !== "." && name !== "..")

const isBelow = (root: string, path: string): boolean =>
  path.startsWith(root.endsWith(Path.sep) ? root : `${root}${Path.sep}`)

/**
 * Whether the file that was opened is the one that stood at `path`, and that is
 * still below the root: somebody may have swapped a directory for a link in
 * between. Where the system tells an open file's path, that alone is the truth.
 */
const isStillBelow = (handle: FileHandle, root: string, path: string): Effect.Effect<boolean, ResourceError> =>
  Effect.matchEffect(attempt(() => FileSystem.readlink(`/proc/self/fd/${handle.fd}`)), {
    onSuccess: (opened) => Effect.succeed(isBelow(root, opened)),
    onFailure: () =>
      attempt(async () => {
        const [opened, standing] = await Promise.all([
          handle.stat({ bigint: true }),
          FileSystem.lstat(path, { bigint: true })
        ])
        return opened.ino === standing.ino && opened.dev === standing.dev && await FileSystem.realpath(path) === path
      })
  })

/** Reads at most `maxBytes`, also of a file that grows meanwhile. */
const readBounded = (handle: FileHandle, size: number, maxBytes: number): Effect.Effect<Uint8Array, ResourceError> => {
  const tooLarge = unavailable(`The file is larger than ${maxBytes} bytes and is not served.`)
  if (size > maxBytes) return Effect.fail(tooLarge)
  return Effect.flatMap(
    attempt(async () => {
      const chunks: Array<Uint8Array> = []
      let length = 0
      while (length <= maxBytes) {
        const { bytesRead, buffer } = await handle.read(Buffer.alloc(Math.min(maxBytes + 1 - length, 65_536)))
        if (bytesRead === 0) break
        chunks.push(buffer.subarray(0, bytesRead))
        length += bytesRead
      }
      return { bytes: Buffer.concat(chunks), length }
    }),
    ({ bytes, length }) => length > maxBytes ? Effect.fail(tooLarge) : Effect.succeed(bytes)
  )
}

/** Opens what is there without waiting for a pipe's other end and without following a last link. */
const flags = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW

const readFile = (rootPath: string, path: string, maxBytes: number): Effect.Effect<Uint8Array, ResourceError> =>
  Effect.gen(function*() {
    if (!isPlain(path)) return yield* notFound()
    const root = yield* attempt(() => FileSystem.realpath(rootPath))
    const real = yield* attempt(() => FileSystem.realpath(Path.join(root, path)))
    if (!isBelow(root, real)) return yield* notFound()
    return yield* Effect.acquireUseRelease(
      attempt(() => FileSystem.open(real, flags)),
      (handle) =>
        Effect.gen(function*() {
          const stat = yield* attempt(() => handle.stat())
          if (!stat.isFile() || !(yield* isStillBelow(handle, root, real))) return yield* notFound()
          return yield* readBounded(handle, stat.size, maxBytes)
        }),
      (handle) => Effect.promise(() => handle.close())
    )
  })

/**
 * Serves the regular files below a directory under `uriPrefix` and their path.
 *
 * A path that leads out of the directory, by steps up, by links or by whatever
 * it is encoded as, is not found; so is what is no regular file or may not be
 * read. A file that is too large, or cannot be read now, is unavailable. What is
 * UTF-8 without a NUL is text; anything else is bytes.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: Options): McpResource.Template<never> => {
  const { maxBytes = 1_048_576, mimeTypes = {}, root, uriPrefix, ...shown } = options
  const types = new Map([...usualMimeTypes, ...Object.entries(mimeTypes)])
  return McpResource.template(`${uriPrefix}{+path}`, {
    name: "files",
    ...shown,
    read: ({ path }) =>
      Effect.map(readFile(root, path, maxBytes), (bytes) => {
        const mimeType = types.get(Path.posix.extname(path).slice(1).toLowerCase())
        const text = textOf(bytes)
        const content = mimeType === undefined ? {} : { mimeType }
        return text === undefined ? McpResource.bytes(bytes, content) : McpResource.text(text, content)
      })
  })
}
