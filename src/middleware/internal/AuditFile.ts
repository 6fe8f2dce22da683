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
import { open, rename, rm } from "node:fs/promises"

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
const endLine = async (handle: FileHandle, size: number): Promise<number> => {
  if (size === 0) return 0
  const { buffer } = await handle.read(Buffer.alloc(1), 0, 1, size - 1)
  if (buffer[0] === 10) return size
  await handle.appendFile("\n")
  return size + 1
}

/**
 * Opens the file to write on at its end.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = ({ keep, maxBytes, path }: Options): Effect.Effect<AuditFile, AuditError, Scope.Scope> =>
  Effect.gen(function*() {
    let handle: FileHandle | undefined
    let size = 0
    let isOver = false

    const begin = async (): Promise<FileHandle> => {
      if (isOver) throw new Error("the audit has ended")
      const opened = await open(path, "a+", mode)
      size = await endLine(opened, (await opened.stat()).size)
      handle = opened
      return opened
    }
    const close = async (): Promise<void> => {
      const open = handle
      handle = undefined
      await open?.close()
    }
    const rotate = async (): Promise<FileHandle> => {
      await close()
      await rm(`${path}.${keep}`, { force: true })
      for (let n = keep; n > 0; n--) {
        await rename(n === 1 ? path : `${path}.${n - 1}`, `${path}.${n}`).catch((error: unknown) => {
          if (!isMissing(error)) throw error
        })
      }
      if (keep === 0) await rm(path, { force: true })
      return begin()
    }
    const write = async (bytes: Buffer): Promise<void> => {
      const open = handle ?? await begin()
      const to = size > 0 && size + bytes.length > maxBytes ? await rotate() : open
      try {
        await to.appendFile(bytes)
        size += bytes.length
      } catch (error) {
        // What was written of it goes, so that the next line is one.
        await to.truncate(size).catch(() => close())
        throw error
      }
    }
    const attempt = <A>(run: () => Promise<A>): Effect.Effect<A, AuditError> =>
      Effect.tryPromise({
        try: run,
        catch: (cause) => new AuditError({ path, reason: reasons[String(Object(cause).code)] ?? "failed", cause })
      })

    yield* Effect.acquireRelease(attempt(begin), () =>
      Effect.promise(() => {
        isOver = true
        return close().catch(() => {})
      }))
    return { write: (text) => attempt(() => write(Buffer.from(text))) }
  })
