import { assert, describe, it } from "@effect/vitest"
import * as Asking from "causeway-mcp/ask/Asking"
import * as Principal from "causeway-mcp/auth/Principal"
import * as FileResource from "causeway-mcp/resource/FileResource"
import * as ResourceRegistry from "causeway-mcp/resource/ResourceRegistry"
import * as Effect from "effect/Effect"
import * as FileSystem from "node:fs/promises"
import { tmpdir } from "node:os"
import * as Path from "node:path"

const canary = "canary-of-the-outside"

/** A directory with files in it, a twin beside it, and links that lead out. */
const directory = Effect.acquireRelease(
  Effect.promise(async () => {
    const base = await FileSystem.mkdtemp(Path.join(tmpdir(), "causeway-files-"))
    const root = Path.join(base, "root")
    const evil = Path.join(base, "root-evil")
    await FileSystem.mkdir(Path.join(root, "deep", "er"), { recursive: true })
    await FileSystem.mkdir(evil)
    await FileSystem.writeFile(Path.join(evil, "secret.txt"), canary)
    await FileSystem.writeFile(Path.join(base, "secret.txt"), canary)
    await FileSystem.writeFile(Path.join(root, "deep", "er", "a b.md"), "# Übersicht")
    await FileSystem.writeFile(Path.join(root, "image.PNG"), new Uint8Array([137, 80, 0, 255]))
    await FileSystem.writeFile(Path.join(root, "data.own"), "own")
    await FileSystem.writeFile(Path.join(root, "full"), "x".repeat(64))
    await FileSystem.writeFile(Path.join(root, "over"), "x".repeat(65))
    await FileSystem.symlink(Path.join(evil, "secret.txt"), Path.join(root, "out.txt"))
    await FileSystem.symlink(evil, Path.join(root, "out"))
    await FileSystem.symlink("..", Path.join(root, "deep", "up"))
    await FileSystem.symlink("loop", Path.join(root, "loop"))
    await FileSystem.symlink(Path.join("deep", "er", "a b.md"), Path.join(root, "inside.md"))
    return { base, root }
  }),
  ({ base }) => Effect.promise(() => FileSystem.rm(base, { recursive: true, force: true }))
)

const reading = (options: Partial<FileResource.Options> = {}) =>
  Effect.gen(function*() {
    const { base, root } = yield* directory
    const files = FileResource.make({ root, uriPrefix: "docs://", ...options })
    const registry = yield* ResourceRegistry.make([files])
    const read = (uri: string) =>
      Effect.map(
        registry.read({
          uri,
          caller: Principal.local,
          requestId: 1,
          meta: {},
          progress: () => undefined,
          log: () => undefined,
          asking: { memo: Asking.nothing, responses: {}, clientCapabilities: {} }
        }),
        (result) => result._tag === "Complete" ? result.contents : []
      )
    return { base, root, registry, read }
  })

describe("FileResource.make", () => {
  it.scoped("reads text and bytes, each with its MIME type", () =>
    Effect.gen(function*() {
      const { read } = yield* reading({ mimeTypes: { own: "application/x-own" } })
      assert.deepStrictEqual(yield* read("docs://deep/er/a%20b.md"), [
        { uri: "docs://deep/er/a%20b.md", mimeType: "text/markdown", text: "# Übersicht" }
      ])
      assert.deepStrictEqual(yield* read("docs://image.PNG"), [
        { uri: "docs://image.PNG", mimeType: "image/png", blob: "iVAA/w==" }
      ])
      assert.deepStrictEqual(yield* read("docs://data.own"), [
        { uri: "docs://data.own", mimeType: "application/x-own", text: "own" }
      ])
      assert.deepStrictEqual(yield* read("docs://full"), [{ uri: "docs://full", text: "x".repeat(64) }])
    }))

  it.scoped("follows a link that stays below the root", () =>
    Effect.gen(function*() {
      const { read } = yield* reading()
      assert.deepInclude((yield* read("docs://inside.md"))[0], { text: "# Übersicht" })
      assert.deepInclude((yield* read("docs://deep/up/full"))[0], { text: "x".repeat(64) })
    }))

  it.scoped("finds nothing that is outside, whichever way it is asked for", () =>
    Effect.gen(function*() {
      const { base, read } = yield* reading()
      const paths = [
        "../secret.txt",
        "..%2fsecret.txt",
        "%2e%2e/secret.txt",
        "%2e%2e%2fsecret.txt",
        "%252e%252e/secret.txt",
        "deep/../../secret.txt",
        "deep/%2e%2e/%2e%2e/secret.txt",
        "../root-evil/secret.txt",
        "..\\secret.txt",
        "..%5csecret.txt",
        "-evil/secret.txt",
        "out.txt",
        "out/secret.txt",
        "deep/up/out/secret.txt",
        "deep/up/../../secret.txt",
        `${base}/secret.txt`,
        `/${base}/secret.txt`,
        `%2f${base.slice(1)}/secret.txt`,
        "file:///secret.txt",
        "full%00.txt",
        "full%00",
        "..%00/secret.txt",
        "loop",
        "deep",
        "deep/",
        "deep//er/a%20b.md",
        "./full",
        "",
        "none",
        "full/x",
        "x".repeat(5000)
      ]
      for (const path of paths) {
        const error = yield* Effect.flip(read(`docs://${path}`))
        assert.deepStrictEqual([error.code, error.message], [-32602, "Resource not found"], path)
      }
    }))

  it.scoped("refuses a file that is too large, in words", () =>
    Effect.gen(function*() {
      const { read } = yield* reading({ maxBytes: 64 })
      assert.lengthOf(yield* read("docs://full"), 1)
      const error = yield* Effect.flip(read("docs://over"))
      assert.deepStrictEqual([error.code, error.message], [
        -32603,
        "The file is larger than 64 bytes and is not served."
      ])
    }))

  it.scoped("finds nothing when the root is not there", () =>
    Effect.gen(function*() {
      const { read, root } = yield* reading()
      yield* Effect.promise(() => FileSystem.rm(root, { recursive: true }))
      assert.strictEqual((yield* Effect.flip(read("docs://full"))).code, -32602)
    }))

  it.scoped("is listed as a template under its own name", () =>
    Effect.gen(function*() {
      const { registry } = yield* reading({ name: "handbook", description: "All pages" })
      assert.deepStrictEqual(registry.templates(Principal.local), [
        { uriTemplate: "docs://{+path}", name: "handbook", description: "All pages" }
      ])
    }))
})
