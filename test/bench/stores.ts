/**
 * Measures the document stores side by side on one corpus that is the same every
 * time: writing, searching, memory, starting and following changes.
 *
 *   npm run bench:stores -- [--store memory,pglite,pg15,pg17|all] [--passages 10000]
 *     [--queries 200] [--embedder sif|hash] [--hnsw]
 *
 * `pg15` is a PostgreSQL 15 without pgvector and `pg17` a PostgreSQL 17 with it;
 * `PG_BIN` names where their programs are, separated by colons, and of all stores
 * those whose server is not there are left out. The tenant that is asked has
 * `--passages`, and another a tenth of them. Times are the store's own: a question
 * is embedded before. `--hnsw` builds the index on vectors of `pg17` and searches
 * again. Each store is measured in a process of its own, bundled from `src` as it
 * is now; the store in memory is the one that is kept in a snapshot, which is
 * written at the end and read by another process. Prints a table, and the same
 * as one line of JSON; how far it is tells the error output. Servers and files
 * are temporary, and are removed when it is stopped, too.
 *
 * A time over its budget does not fail the run. `fixed loop` is the same
 * computation before and after: where its times differ, the machine was busy.
 *
 * @since 0.1.0
 */
import { spawn } from "node:child_process"
import { once } from "node:events"
import * as Os from "node:os"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"
import * as Program from "./program.js"
import * as Figures from "./stores/figures.js"
import * as Home from "./stores/home.js"
import * as Task from "./stores/task.js"

/** Of a process of the bench itself: what it is to do. */
const { task: given, ...flags } = parseArgs({
  options: {
    store: { type: "string", default: "all" },
    passages: { type: "string", default: "10000" },
    queries: { type: "string", default: "200" },
    embedder: { type: "string", default: "sif" },
    hnsw: { type: "boolean", default: false },
    task: { type: "string" }
  }
}).values

const judged = 10_000

const wholeNumber = (flag: "passages" | "queries", least: number): number => {
  const value = Number(flags[flag])
  if (!Number.isSafeInteger(value) || value < least) throw new Error(`--${flag} is a whole number from ${least}`)
  return value
}

const isStore = (name: string): name is Task.Store => Task.stores.some((store) => store === name)

const wanted = (): ReadonlyArray<Task.Store> => {
  if (flags.store === "all") {
    return Task.stores.filter((store) => {
      const why = Task.missing(store)
      if (why !== undefined) console.log(`${store} is left out: ${why}`)
      return why === undefined
    })
  }
  return flags.store.split(",").map((name) => {
    if (!isStore(name)) throw new Error(`--store is all, or some of ${Task.stores.join(", ")}, not ${name}`)
    const why = Task.missing(name)
    if (why !== undefined) throw new Error(`${name}: ${why}`)
    return name
  })
}

const embedder = (): Task.Task["embedder"] => {
  if (flags.embedder !== "sif" && flags.embedder !== "hash") throw new Error("--embedder is sif or hash")
  return flags.embedder
}

/** What is done with a store, one process after the other: opened under this name, or measured. */
const openings: { readonly [store in Task.Store]: ReadonlyArray<string | undefined> } = {
  memory: [undefined, "snapshot: read in"],
  pglite: ["first start, database made", "second start", undefined, "start with the corpus"],
  pg15: [undefined],
  pg17: [undefined]
}

/** The process that works, if one does; it leads a group of its own, in which is what it starts. */
let working: number | undefined
/** What there is to remove. */
const homes = new Set<string>()

/** Does a task in a process of its own, and says whether it came to its end. */
const work = async (task: Task.Task, report: Figures.Report): Promise<boolean> => {
  const child = spawn(
    process.execPath,
    ["--expose-gc", await Program.programOf("stores"), "--task", JSON.stringify(task)],
    { detached: true, env: { ...process.env, TMPDIR: task.home }, stdio: ["ignore", 2, 2, "ipc"] }
  )
  working = child.pid
  let isDone = false
  child.on("message", (message: Task.Message) => {
    if ("isDone" in message) isDone = message.isDone
    else report(message)
  })
  // What was sent may come after the exit.
  await Promise.all([once(child, "exit"), once(child, "disconnect")])
  working = undefined
  return isDone
}

const main = async (): Promise<boolean> => {
  const stores = wanted()
  process.on("SIGHUP", () => process.exit(129))
  process.on("exit", () => {
    for (const home of homes) Home.clear(home, working)
  })
  const common = {
    passages: wholeNumber("passages", 200),
    queries: wholeNumber("queries", 10),
    embedder: embedder(),
    hnsw: flags.hnsw,
    table: fileURLToPath(new URL("../../src/embedding/data/words-100d.bin", import.meta.url))
  }
  const at = new Date().toISOString()
  const load = Os.loadavg()
  const { length: processors, 0: first } = Os.cpus()
  console.log(
    `${common.passages} passages, ${common.embedder}, Node ${process.version}, ${processors} x ${first?.model}, ` +
      `load average ${load.map((value) => value.toFixed(2)).join(" ")} at the start (${at})`
  )
  const found = new Map<Task.Store, ReadonlyArray<Figures.Figure>>()
  const failed: Array<string> = []
  for (const store of stores) {
    const began = performance.now()
    const home = Home.make()
    homes.add(home)
    for (const opening of openings[store]) {
      const report = (figure: Figures.Figure): void => {
        found.set(store, [...found.get(store) ?? [], figure])
        process.stderr.write(`${store}: ${Figures.line(figure)}\n`)
      }
      if (await work({ ...common, home, store, opening }, report)) continue
      failed.push(store)
      break
    }
    Home.clear(home, undefined)
    homes.delete(home)
    process.stderr.write(`${store}: ${((performance.now() - began) / 1_000).toFixed(0)} s in all\n`)
  }
  console.log(`\n${Figures.table(found, common.passages === judged)}\n`)
  const { table: _, ...settings } = common
  console.log(
    JSON.stringify({
      bench: "stores",
      at,
      node: process.version,
      load,
      ...settings,
      failed,
      stores: Figures.record(found)
    })
  )
  return failed.length === 0
}

if (given === undefined) process.exit(await main() ? 0 : 1)
else Task.main(JSON.parse(given))
