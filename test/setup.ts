/**
 * Builds one initialised PGlite directory per installed version, for tests to
 * copy: initialising takes eight seconds, copying and opening less than one.
 *
 * @since 0.1.0
 */
import { execFile } from "node:child_process"
import { existsSync } from "node:fs"
import { mkdir, mkdtemp, readFile, rename, rm } from "node:fs/promises"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import type { TestProject } from "vitest/node"

declare module "vitest" {
  export interface ProvidedContext {
    /** An initialised directory for `Pglite.layer`. Copy it, never open it. */
    readonly pgliteTemplate: string
  }
}

const root = fileURLToPath(new URL("../", import.meta.url))
const modules = join(root, "node_modules")

/** Runs in a process of its own, whose half gigabyte is given back when it ends. */
const program = `
  import { PGlite } from "@electric-sql/pglite"
  const db = await PGlite.create(process.argv[1])
  await db.close()
`

const build = async (template: string): Promise<void> => {
  await mkdir(dirname(template), { recursive: true })
  const scratch = await mkdtemp(`${template}-`)
  try {
    const directory = join(scratch, "data")
    await mkdir(directory)
    await promisify(execFile)(
      process.execPath,
      ["--input-type=module", "--eval", program, join(directory, "postgres")],
      {
        cwd: root,
        timeout: 120_000
      }
    )
    // Two runs may build at once: the first to rename wins, and the other's copy is as good.
    await rename(directory, template).catch((error: unknown) => {
      if (!existsSync(join(template, "postgres/PG_VERSION"))) throw error
    })
  } finally {
    await rm(scratch, { recursive: true, force: true })
  }
}

export default async (project: TestProject): Promise<void> => {
  const manifest: { readonly version: string } = JSON.parse(
    await readFile(join(modules, "@electric-sql/pglite/package.json"), "utf8")
  )
  const template = join(modules, ".cache/causeway", `pglite-template-${manifest.version}`)
  if (!existsSync(join(template, "postgres/PG_VERSION"))) await build(template)
  project.provide("pgliteTemplate", template)
}
