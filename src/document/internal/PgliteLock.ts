/**
 * Lets one process at a time open a directory, by a file that names the one
 * that did.
 *
 * @since 0.1.0
 */
import * as Crypto from "node:crypto"
import * as Fs from "node:fs"
import * as Os from "node:os"

/** What a lock file says about its holder. */
interface Holder {
  readonly pid: number
  readonly host: string
  /** When the process started, in the kernel's own count; empty where the kernel does not tell. */
  readonly started: string
  /** Tells one lock from the next of the same process. */
  readonly token: string
}

/**
 * Who holds a directory, as a sentence that stands after its name.
 *
 * @since 0.1.0
 * @category models
 */
export type Held = { readonly _tag: "Held"; readonly why: string }

/**
 * A lock that was taken; `release` gives it back, and does nothing when another
 * has it by now.
 *
 * @since 0.1.0
 * @category models
 */
export type Taken = { readonly _tag: "Taken"; readonly release: () => void }

/** Between creating a lock file and writing it a holder is nameless for a moment, never longer. */
const namelessMillis = 5_000

const hasCode = (error: unknown, code: string): boolean =>
  error instanceof Error && "code" in error && error.code === code

const startedAt = (pid: number): string => {
  try {
    // The name in parentheses may hold spaces; what follows the last one is fields 3 and on, the start being 22.
    const stat = Fs.readFileSync(`/proc/${pid}/stat`, "utf8")
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? ""
  } catch {
    return ""
  }
}

const isAlive = (holder: Holder): boolean => {
  try {
    process.kill(holder.pid, 0)
  } catch (error) {
    if (!hasCode(error, "EPERM")) return false
  }
  const started = startedAt(holder.pid)
  // A number is given out again: after a restart in a container the new process often has the old one's.
  return started === "" || holder.started === "" || started === holder.started
}

const parse = (text: string): Holder | undefined => {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value !== "object" || value === null) return undefined
    const { host, pid, started, token } = value as Partial<Record<keyof Holder, unknown>>
    return typeof pid === "number" && Number.isInteger(pid) && pid > 0 && typeof host === "string" &&
        typeof started === "string" && typeof token === "string"
      ? { pid, host, started, token }
      : undefined
  } catch {
    return undefined
  }
}

const read = (path: string): string | undefined => {
  try {
    return Fs.readFileSync(path, "utf8")
  } catch (error) {
    if (hasCode(error, "ENOENT")) return undefined
    throw error
  }
}

const create = (path: string, holder: Holder): boolean => {
  try {
    Fs.writeFileSync(path, JSON.stringify(holder), { flag: "wx" })
    return true
  } catch (error) {
    if (hasCode(error, "EEXIST")) return false
    throw error
  }
}

/** Why the lock stands, or `undefined` when its holder is gone. */
const judge = (path: string, text: string): string | undefined => {
  const holder = parse(text)
  if (holder === undefined) {
    const written = Fs.statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0
    return Date.now() - written < namelessMillis ? "is being opened by another process" : undefined
  }
  if (holder.host !== Os.hostname()) {
    return `is in use by process ${holder.pid} on the host ${holder.host}; if that host no longer uses it, delete ${path}`
  }
  return isAlive(holder) ? `is in use by process ${holder.pid}; one process may open it at a time` : undefined
}

/**
 * Takes the lock, also from a holder that died without giving it back. Throws
 * what the file system throws.
 *
 * @since 0.1.0
 * @category constructors
 */
export const take = (path: string): Taken | Held => {
  const holder: Holder = {
    pid: process.pid,
    host: Os.hostname(),
    started: startedAt(process.pid),
    token: Crypto.randomUUID()
  }
  const taken: Taken = {
    _tag: "Taken",
    release: () => {
      if (parse(read(path) ?? "")?.token === holder.token) Fs.unlinkSync(path)
    }
  }
  for (let attempt = 0; attempt < 5; attempt++) {
    if (create(path, holder)) return taken
    const text = read(path)
    if (text === undefined) continue
    const why = judge(path, text)
    if (why !== undefined) return { _tag: "Held", why }
    removeStale(path, text)
  }
  return { _tag: "Held", why: "is being opened by another process" }
}

/** Of several that found the same dead holder, one moves its file away; a file that is not the dead one's goes back. */
const removeStale = (path: string, text: string): void => {
  const aside = `${path}.${Crypto.randomUUID()}`
  try {
    Fs.renameSync(path, aside)
  } catch (error) {
    if (hasCode(error, "ENOENT")) return
    throw error
  }
  try {
    if (read(aside) !== text) Fs.linkSync(aside, path)
  } catch (error) {
    if (!hasCode(error, "EEXIST")) throw error
  } finally {
    Fs.unlinkSync(aside)
  }
}
