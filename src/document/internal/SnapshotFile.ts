/**
 * A file of frames, each vouched for: what was damaged, cut off, put together
 * from two files or written by a later program is told before it is used.
 *
 * The file begins with eight letters and the number of its format. A frame is
 * its length, a text in JSON with bytes behind it, and the SHA-256 digest of the
 * digest before it, its length and its content. The last frame says that it is
 * the last. All numbers are little-endian.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Crypto from "node:crypto"
import type { FileHandle } from "node:fs/promises"
import * as Fs from "node:fs/promises"
import * as Path from "node:path"

/**
 * Why a file is not read or written; `description` stands after its name.
 *
 * @since 0.1.0
 * @category models
 */
export interface Problem {
  readonly _tag: "Problem"
  readonly description: string
  readonly cause?: unknown
}

/**
 * @since 0.1.0
 * @category models
 */
export interface Frame {
  readonly json: unknown
  readonly bytes: Uint8Array
}

/**
 * The format that this program writes, and the latest it reads.
 *
 * @since 0.1.0
 * @category configuration
 */
export const format = 2

const letters = Buffer.from("CAUSEWAY")
const prefixLength = letters.length + 4
const digestLength = 32
/** Frames are far smaller; a length beyond this is none. */
const mostBytes = 256 * 1024 * 1024

const problem = (description: string) => (cause?: unknown): Problem => ({ _tag: "Problem", description, cause })

/**
 * What is to be said of a file that holds something else than this program writes.
 *
 * @since 0.1.0
 * @category constructors
 */
export const damaged = problem("is damaged; it was left as it is: restore a copy of it, or move it away and index anew")

const prefix = (): Buffer => {
  const bytes = Buffer.alloc(prefixLength)
  letters.copy(bytes)
  bytes.writeUInt32LE(format, letters.length)
  return bytes
}

const digestOf = (...parts: ReadonlyArray<Uint8Array>): Buffer => {
  const hash = Crypto.createHash("sha256")
  for (const part of parts) hash.update(part)
  return hash.digest()
}

const number = (value: number): Buffer => {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value)
  return bytes
}

const reading = <A>(attempt: () => Promise<A>): Effect.Effect<A, Problem> =>
  Effect.tryPromise({ try: attempt, catch: problem("cannot be read") })

const writing = <A>(attempt: () => Promise<A>): Effect.Effect<A, Problem> =>
  Effect.tryPromise({ try: attempt, catch: problem("cannot be written") })

const isMissing = (error: unknown): boolean => error instanceof Error && "code" in error && error.code === "ENOENT"

/**
 * Reads a file frame by frame: `undefined` when there is no such file. The next
 * frame is `undefined` after the last one.
 *
 * @since 0.1.0
 * @category combinators
 */
export const read = (
  path: string
): Effect.Effect<{ readonly next: Effect.Effect<Frame | undefined, Problem> } | undefined, Problem, Scope.Scope> =>
  Effect.gen(function*() {
    const handle = yield* Effect.acquireRelease(
      Effect.catchIf(
        reading<FileHandle | undefined>(() => Fs.open(path, "r")),
        ({ cause }) => isMissing(cause),
        () => Effect.succeed(undefined)
      ),
      (held) => Effect.ignore(reading(() => held?.close() ?? Promise.resolve()))
    )
    if (handle === undefined) return undefined
    const { size } = yield* reading(() => handle.stat())
    let at = 0

    const take = (length: number): Effect.Effect<Buffer, Problem> =>
      Effect.gen(function*() {
        if (length > mostBytes || at + length > size) return yield* Effect.fail(damaged())
        const bytes = Buffer.allocUnsafe(length)
        for (let done = 0; done < length;) {
          const { bytesRead } = yield* reading(() => handle.read(bytes, done, length - done, at + done))
          if (bytesRead === 0) return yield* Effect.fail(damaged())
          done += bytesRead
        }
        at += length
        return bytes
      })

    const start = yield* take(prefixLength)
    if (!start.subarray(0, letters.length).equals(letters)) return yield* Effect.fail(damaged())
    const found = start.readUInt32LE(letters.length)
    if (found === 0) return yield* Effect.fail(damaged())
    if (found > format) {
      return yield* Effect.fail(
        problem(
          `is of format ${found}, which a later version of this program wrote; this one reads up to format ${format}`
        )()
      )
    }
    let digest = digestOf(start)
    let isLast = false

    const next: Effect.Effect<Frame | undefined, Problem> = Effect.gen(function*() {
      if (isLast) return at === size ? undefined : yield* Effect.fail(damaged())
      const length = yield* take(4)
      const content = yield* take(length.readUInt32LE(0))
      digest = digestOf(digest, length, content)
      if (!digest.equals(yield* take(digestLength))) return yield* Effect.fail(damaged())
      const textLength = content.length < 4 ? Infinity : content.readUInt32LE(0)
      if (4 + textLength > content.length) return yield* Effect.fail(damaged())
      if (textLength === 0) {
        isLast = true
        return yield* next
      }
      // a digest is no signature: anyone can write one for what is no JSON
      const json = yield* Effect.try({
        try: (): unknown => JSON.parse(content.toString("utf8", 4, 4 + textLength)),
        catch: damaged
      })
      return { json, bytes: content.subarray(4 + textLength) }
    })
    return { next }
  })

/**
 * Replaces a file as a whole with the frames that `frames` gives until it gives
 * `undefined`: they are written to a file beside it, which takes its name once it
 * is safe on the disk.
 *
 * @since 0.1.0
 * @category combinators
 */
export const write = (
  path: string,
  frames: () => Frame | undefined
): Effect.Effect<void, Problem> => {
  const beside = `${path}.new`
  const fill = Effect.acquireUseRelease(
    // what a snapshot holds is nobody else's business
    writing(() => Fs.open(beside, "w", 0o600)),
    (handle) =>
      Effect.gen(function*() {
        const append = (bytes: Uint8Array) => writing(() => handle.writeFile(bytes))
        const start = prefix()
        yield* append(start)
        let digest = digestOf(start)
        for (let frame = frames(), isLast = false; !isLast; frame = isLast ? undefined : frames()) {
          isLast = frame === undefined
          const text = frame === undefined ? Buffer.alloc(0) : Buffer.from(JSON.stringify(frame.json))
          const bytes = frame?.bytes ?? new Uint8Array(0)
          const content = Buffer.concat([number(text.length), text, bytes])
          const length = number(content.length)
          digest = digestOf(digest, length, content)
          yield* append(Buffer.concat([length, content, digest]))
        }
        yield* writing(() => handle.sync())
      }),
    (handle) => Effect.ignore(writing(() => handle.close()))
  )
  return fill.pipe(
    Effect.zipRight(writing(() => Fs.rename(beside, path))),
    Effect.zipRight(syncFolder(Path.dirname(path))),
    Effect.tapError(() => Effect.ignore(writing(() => Fs.rm(beside, { force: true }))))
  )
}

/** The new name is safe on the disk once its folder is; a system that opens no folders sees to it by itself. */
const syncFolder = (folder: string): Effect.Effect<void, Problem> =>
  process.platform === "win32" ? Effect.void : Effect.acquireUseRelease(
    writing(() => Fs.open(folder, "r")),
    (handle) => writing(() => handle.sync()),
    (handle) => Effect.ignore(writing(() => handle.close()))
  )
