/**
 * A file of lines that makes room for another when it is large, and never ends in
 * half a line.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type { FileHandle } from "node:fs/promises"
import { open, rename, rm, stat } from "node:fs/promises"

/**
 * The file cannot be opened or written.
 *
 * @since 0.1.0
 * @category errors
 */
export class AuditError extends Schema.TaggedError<AuditError>("causeway/Audit/AuditError")("AuditError", {
  path: Schema.String,
  reason: Schema.Literal("full", "denied", "missing", "failed"),
  cause: Schema.Defect
}) {
  override get message() {
    const words = { full: "the disk is full", denied: "access is denied", missing: "its folder is not there" }
    return `${this.path}: ${this.reason === "failed" ? "the file cannot be written" : words[this.reason]}`
  }
}

/**
 * @since 0.1.0
 * @category configuration
 */
export interface Options {
  readonly path: string
  /** Bytes from which another file is begun. */
  readonly maxBytes: number
  /** How many older files stay. */
  readonly keep: number
}

/**
 * @since 0.1.0
 * @category models
 */
export interface AuditFile {
  /** Writes all of the text or none; it ends with the end of a line. */
  readonly write: (text: string) => Effect.Effect<void, AuditError>
}

const reasons: { readonly [code: string]: AuditError["reason"] } = {
  ENOSPC: "full",
  EDQUOT: "full",
  EACCES: "denied",
  EPERM: "denied",
  EROFS: "denied",
  ENOENT: "missing"
}

const isMissing = (error: unknown): boolean => Object(error).code === "ENOENT"

/** Whoever may write it may read it: the owner alone. */
const mode = 0o600

/** A process that was killed may have left half a line: it gets its end. */
const endLine = async (handle: FileHandle): Promise<void> => {
  const { size } = await handle.stat()
  if (size === 0) return
  const { buffer } = await handle.read(Buffer.alloc(1), 0, 1, size - 1)
  if (buffer[0] !== 10) await handle.appendFile("\n")
}

const exists = (path: string): Promise<boolean> =>
  stat(path).then(() => true, (error: unknown) => {
    if (isMissing(error)) return false
    throw error
  })

/** Makes the first number free, by moving only as many files as it takes: what fails half way can be tried again. */
const shift = async (path: string, keep: number): Promise<void> => {
  let free = 1
  while (free < keep && await exists(`${path}.${free}`)) free++
  for (let n = free; n > 1; n--) await rename(`${path}.${n - 1}`, `${path}.${n}`)
}

/**
 * Opens the file to write on at its end. One that was moved or removed by somebody
 * else is begun anew under its name. Where no other file can be begun, this one
 * goes on; logged once.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = ({ keep, maxBytes, path }: Options): Effect.Effect<AuditFile, AuditError, Scope.Scope> =>
  Effect.gen(function*() {
    let handle: FileHandle | undefined
    let isOver = false
    /** Why the file goes on although it is large enough. */
    let stuck: unknown
    let isStuckTold = false

    const begin = async (): Promise<FileHandle> => {
      if (isOver) throw new Error("the audit has ended")
      const opened = await open(path, "a+", mode)
      handle = opened
      await endLine(opened)
      return opened
    }
    const close = async (): Promise<void> => {
      const open = handle
      handle = undefined
      await open?.close()
    }
    /** The file under this name, which is not the one that was opened once somebody has moved that. */
    const current = async (): Promise<FileHandle> => {
      if (handle === undefined) return begin()
      const own = await handle.stat()
      const named = await stat(path).catch((error: unknown) => {
        if (isMissing(error)) return undefined
        throw error
      })
      if (named?.ino === own.ino && named.dev === own.dev) return handle
      await close()
      return begin()
    }
    const rotate = async (): Promise<FileHandle> => {
      try {
        if (keep === 0) await rm(path, { force: true })
        else {
          await shift(path, keep)
          await rename(path, `${path}.1`)
        }
        stuck = undefined
        isStuckTold = false
      } catch (error) {
        stuck = error
      }
      return current()
    }
    const write = async (bytes: Buffer): Promise<void> => {
      const open = await current()
      const { size } = await open.stat()
      const to = size > 0 && size + bytes.length > maxBytes ? await rotate() : open
      const before = (await to.stat()).size
      try {
        await to.appendFile(bytes)
      } catch (error) {
        // What was written of it goes, so that the next line is one.
        const after = (await to.stat()).size
        if (after > before) await to.truncate(before).catch(() => close())
        throw error
      }
    }
    const toError = (cause: unknown): AuditError =>
      new AuditError({ path, reason: reasons[String(Object(cause).code)] ?? "failed", cause })
    const attempt = <A>(run: () => Promise<A>): Effect.Effect<A, AuditError> =>
      Effect.tryPromise({ try: run, catch: toError })

    const tell = Effect.suspend(() => {
      if (stuck === undefined || isStuckTold) return Effect.void
      isStuckTold = true
      return Effect.logWarning(
        `The audit's file ${path} is large enough, and no other can be begun beside it (${
          String(Object(stuck).code ?? "failed")
        }): it goes on`
      )
    })

    yield* Effect.acquireRelease(attempt(begin), () =>
      Effect.promise(() => {
        isOver = true
        return close().catch(() => {})
      }))
    return { write: (text) => Effect.zipLeft(attempt(() => write(Buffer.from(text))), tell) }
  })
