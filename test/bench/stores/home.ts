/**
 * The temporary folder that one store is measured in, and how it is removed
 * when the bench is stopped: at once, since nothing that takes turns goes on in a
 * process that exits. What runs is looked up where Linux says it.
 *
 * @since 0.1.0
 */
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"

/**
 * @since 0.1.0
 */
export const make = (): string => {
  const home = Fs.mkdtempSync(Path.join(Os.tmpdir(), "causeway-stores-"))
  // Servers run as somebody else, and their directories are in it.
  Fs.chmodSync(home, 0o755)
  return home
}

/** All processes but this one, of which those that ended and were not waited for are none. */
const running = (): ReadonlyArray<{ readonly pid: number; readonly group: number }> =>
  (Fs.existsSync("/proc") ? Fs.readdirSync("/proc") : []).flatMap((name) => {
    if (!/^\d+$/.test(name) || Number(name) === process.pid) return []
    try {
      const stat = Fs.readFileSync(`/proc/${name}/stat`, "latin1")
      const [, state, group] = /\) (\S) \d+ (\d+) [^)]*$/s.exec(stat) ?? []
      return state === "Z" ? [] : [{ pid: Number(name), group: Number(group) }]
    } catch {
      // It has ended meanwhile.
      return []
    }
  })

const members = (group: number): ReadonlyArray<number> =>
  running().filter((each) => each.group === group).map(({ pid }) => pid)

/** Programs of Postgres whose files are in a folder of this one, also where they lead a group of their own. */
const servers = (home: string): ReadonlyArray<number> =>
  running().flatMap(({ pid }) => {
    try {
      const isOne = Fs.readFileSync(`/proc/${pid}/cmdline`, "latin1").includes(Path.join(home, "causeway-pg-"))
      return isOne ? [pid] : []
    } catch {
      // It has ended meanwhile.
      return []
    }
  })

/** Asks processes to end, and waits for three seconds at most. */
const stop = (find: () => ReadonlyArray<number>, ask: NodeJS.Signals): void => {
  const nobody = new Int32Array(new SharedArrayBuffer(4))
  const tell = (signal: NodeJS.Signals): void => {
    for (const pid of find()) {
      try {
        process.kill(pid, signal)
      } catch {
        // It has ended meanwhile.
      }
    }
  }
  tell(ask)
  for (let n = 0; n < 60 && find().length > 0; n++) Atomics.wait(nobody, 0, 0, 50)
  tell("SIGKILL")
}

/**
 * Ends a group of processes, but not this one, and the servers of a folder, and
 * removes the folder.
 *
 * @since 0.1.0
 */
export const clear = (home: string, group: number | undefined): void => {
  if (group !== undefined) stop(() => members(group), "SIGTERM")
  stop(() => servers(home), "SIGQUIT")
  Fs.rmSync(home, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 })
}
