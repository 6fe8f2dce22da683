/**
 * Cuts the code in Markdown from marked regions of compiled files, so that no
 * page shows code that no compiler has seen.
 *
 * A block follows a line `<!-- snippet: path#region -->` (or `path` for the whole
 * file); a region stands between `// #region name` and `// #endregion name`.
 * With `--check` nothing is written and a difference is an error.
 */
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"

const marker = /<!-- snippet: (?<path>[^#\s]+)(?:#(?<region>[\w-]+))? -->\n```ts\n(?<code>[\s\S]*?)```/gu
/** A marker whose block is not there: it would show nothing. */
const bare = /(?<mark><!-- snippet: [^\n]* -->)\n(?!```ts\n)/gu
const anyBlock = /(?<before>[^\n]*)\n```(?:ts|typescript)\n/gu

const markdown = (folder: string): ReadonlyArray<string> =>
  readdirSync(folder).flatMap((name) => {
    const path = join(folder, name)
    if (statSync(path).isDirectory()) return markdown(path)
    return name.endsWith(".md") ? [path] : []
  })

const dedent = (lines: ReadonlyArray<string>): string => {
  const indents = lines.filter((line) => line.trim() !== "").map((line) => line.length - line.trimStart().length)
  const indent = Math.min(...indents)
  return lines.map((line) => line.slice(indent)).join("\n")
}

const cut = (path: string, region: string | undefined): string => {
  const lines = readFileSync(path, "utf8").trimEnd().split("\n")
  if (region === undefined) return lines.filter((line) => !/^\s*\/\/ #(?:end)?region\b/u.test(line)).join("\n")
  const from = lines.findIndex((line) => line.trim() === `// #region ${region}`)
  const to = lines.findIndex((line) => line.trim() === `// #endregion ${region}`)
  if (from === -1 || to <= from) throw new Error(`${path} has no region ${region}`)
  return dedent(lines.slice(from + 1, to).filter((line) => !/^\s*\/\/ #(?:end)?region\b/u.test(line)))
}

const isCheck = process.argv.includes("--check")
const wrong: Array<string> = []
const pages = [...readdirSync(".").filter((name) => name.endsWith(".md")), ...markdown("docs"), ...markdown("examples")]
let blocks = 0

for (const page of pages) {
  const found = readFileSync(page, "utf8")
  const text = found.replace(bare, "$<mark>\n```ts\n```\n")
  for (const block of text.matchAll(anyBlock)) {
    if (!block.groups?.before?.startsWith("<!-- snippet: ")) {
      wrong.push(`${page}: a TypeScript block without a snippet marker, after "${block.groups?.before ?? ""}"`)
    }
  }
  const updated = text.replace(marker, (_whole, path: string, region: string | undefined) => {
    blocks++
    const name = region === undefined ? path : `${path}#${region}`
    return `<!-- snippet: ${name} -->\n\`\`\`ts\n${cut(path, region)}\n\`\`\``
  })
  if (updated === found) continue
  if (isCheck) wrong.push(`${page}: a snippet differs from its source; run npm run docs`)
  else writeFileSync(page, updated)
}

for (const line of wrong) console.error(line)
console.log(`${blocks} snippets in ${pages.length} pages, ${wrong.length} problems`)
process.exitCode = wrong.length === 0 ? 0 : 1
