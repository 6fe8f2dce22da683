import { assert, describe, it } from "@effect/vitest"
import { fileURLToPath } from "node:url"
import ts from "typescript"

describe("Console, its script", () => {
  it("fits its own types, although nothing builds it", () => {
    const program = ts.createProgram([fileURLToPath(new URL("../../src/ops/console/console.js", import.meta.url))], {
      noEmit: true,
      allowJs: true,
      checkJs: true,
      strict: true,
      exactOptionalPropertyTypes: true,
      noUncheckedIndexedAccess: true,
      noUnusedLocals: true,
      target: ts.ScriptTarget.ES2022,
      module: ts.ModuleKind.NodeNext,
      moduleResolution: ts.ModuleResolutionKind.NodeNext,
      lib: ["lib.es2023.d.ts", "lib.dom.d.ts", "lib.dom.iterable.d.ts"],
      types: []
    })
    const found = ts.getPreEmitDiagnostics(program).map(({ file, messageText, start }) => {
      const line = file === undefined || start === undefined ? 0 : file.getLineAndCharacterOfPosition(start).line + 1
      return `${file?.fileName ?? ""}:${line} ${ts.flattenDiagnosticMessageText(messageText, " ")}`
    })
    assert.deepStrictEqual(found, [])
    const checked = program.getSourceFiles().filter(({ fileName }) => fileName.includes("/ops/console/"))
    assert.isAbove(checked.length, 8)
  }, 60_000)
})
