/**
 * Reads a folder or a file as a stream of documents, a little at a time, and
 * names everything that could not be read.
 *
 * @since 0.1.0
 */
import type { PlatformError } from "@effect/platform/Error"
import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import type { Document } from "causeway-mcp/document/Document"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Stream from "effect/Stream"
import * as Parsing from "./parsing.js"

/**
 * What was read: a document, or something that is refused by name. `where` is
 * the path, with the line for JSONL; `bytes` is how much of the file it took.
 *
 * @since 0.1.0
 * @category models
 */
export type Item =
  | { readonly _tag: "Read"; readonly where: string; readonly bytes: number; readonly document: Document }
  | { readonly _tag: "Refused"; readonly where: string; readonly bytes: number; readonly reason: string }

/**
 * How much there is to read.
 *
 * @since 0.1.0
 * @category models
 */
export interface Survey {
  readonly files: number
  readonly bytes: number
  /** Files of another kind than Markdown, text and JSONL. */
  readonly otherFiles: number
  /** Symbolic links, which are not followed. */
  readonly links: number
}

type Kind = ".md" | ".txt" | ".jsonl"

type Entry =
  | {
    readonly _tag: "File"
    readonly path: string
    readonly id: string
    readonly name: string
    readonly kind: Kind
    readonly bytes: number
  }
  | { readonly _tag: "Unreadable"; readonly path: string; readonly reason: string }
  | { readonly _tag: "Link" }
  | { readonly _tag: "Other" }

type Files = FileSystem.FileSystem | Path.Path

const one = (entry: Entry): Stream.Stream<Entry> => Stream.make(entry)

const unreadable = (path: string, reason: string): Stream.Stream<Entry> => one({ _tag: "Unreadable", path, reason })

const explain = (error: PlatformError): string => {
  if (error._tag === "BadArgument") return "its name cannot be used as a path"
  switch (error.reason) {
    case "NotFound":
      return "it does not exist"
    case "PermissionDenied":
      return "it may not be read: permission denied"
    default:
      return "it could not be read"
  }
}

const kindOf = (extension: string): Kind | undefined => {
  const lower = extension.toLowerCase()
  return lower === ".md" || lower === ".txt" || lower === ".jsonl" ? lower : undefined
}

/** Names that begin with a dot belong to tools, and `node_modules` to other people. */
const isSkipped = (name: string): boolean => name.startsWith(".") || name === "node_modules"

const walk = (root: string): Stream.Stream<Entry, never, Files> =>
  Stream.unwrap(Effect.gen(function*() {
    const fs = yield* FileSystem.FileSystem
    const paths = yield* Path.Path

    const visit = (path: string): Stream.Stream<Entry> =>
      Stream.unwrap(
        Effect.map(fs.stat(path), (info): Stream.Stream<Entry> => {
          if (info.type === "Directory") return folder(path)
          const extension = paths.extname(path)
          const kind = kindOf(extension)
          // A pipe or a socket named like a text file would be read for ever.
          if (kind === undefined || info.type !== "File") {
            return path === root
              ? unreadable(path, "it is not a .md, .txt or .jsonl file")
              : one({ _tag: "Other" })
          }
          const relative = path === root ? paths.basename(path) : paths.relative(root, path)
          return one({
            _tag: "File",
            path,
            kind,
            id: relative.split(paths.sep).join("/"),
            name: paths.basename(path, extension),
            bytes: Number(info.size)
          })
        })
      ).pipe(Stream.catchAll((error) => unreadable(path, explain(error))))

    const member = (path: string): Stream.Stream<Entry> =>
      Stream.unwrap(
        Effect.map(
          Effect.option(fs.readLink(path)),
          (link): Stream.Stream<Entry> => link._tag === "Some" ? one({ _tag: "Link" }) : visit(path)
        )
      )

    const folder = (path: string): Stream.Stream<Entry> =>
      Stream.unwrap(
        Effect.map(fs.readDirectory(path), (names): Stream.Stream<Entry> =>
          Stream.fromIterable(names.filter((name) => !isSkipped(name)).sort()).pipe(
            Stream.flatMap((name) =>
              member(paths.join(path, name))
            )
          ))
      ).pipe(Stream.catchAll((error) => unreadable(path, explain(error))))

    return visit(root)
  }))

interface Line {
  readonly number: number
  /** Where it begins in its file, in bytes. */
  readonly offset: number
  /** Absent when the line was too long to keep. */
  readonly bytes: Uint8Array | undefined
  readonly size: number
}

/** Cuts chunks at line feeds and holds at most one line, never more of it than the limit. */
const lineCutter = (limit: number) => {
  let number = 1
  let offset = 0
  let size = 0
  let parts: Array<Uint8Array> = []

  const keep = (part: Uint8Array): void => {
    size += part.length
    if (size > limit) parts = []
    else parts.push(part)
  }
  const cut = (newline: number): Line => {
    const line = { number, offset, bytes: size > limit ? undefined : Buffer.concat(parts), size: size + newline }
    number += 1
    offset += line.size
    size = 0
    parts = []
    return line
  }
  return {
    push: (chunk: Uint8Array): ReadonlyArray<Line> => {
      const lines: Array<Line> = []
      let start = 0
      for (let end = chunk.indexOf(0x0a); end !== -1; end = chunk.indexOf(0x0a, start)) {
        keep(chunk.subarray(start, end))
        lines.push(cut(1))
        start = end + 1
      }
      keep(chunk.subarray(start))
      return lines
    },
    end: (): ReadonlyArray<Line> => (size === 0 ? [] : [cut(0)])
  }
}

const megabytes = Parsing.maxDocumentBytes / 1024 / 1024
const tooLong = `it is longer than ${megabytes} MiB`

const item = (parsed: Parsing.Parsed, where: string, bytes: number): Item =>
  Either.match(parsed, {
    onLeft: (reason) => ({ _tag: "Refused", where, bytes, reason }),
    onRight: (document) => ({ _tag: "Read", where, bytes, document })
  })

const readLines = (fs: FileSystem.FileSystem, file: Entry & { readonly _tag: "File" }) =>
  Stream.suspend(() => {
    const cutter = lineCutter(Parsing.maxDocumentBytes)
    let isEmpty = true
    const toItems = (lines: ReadonlyArray<Line>): ReadonlyArray<Item> =>
      lines.flatMap(({ bytes, number, offset, size }) => {
        const where = `${file.path}:${number}`
        if (bytes !== undefined && Parsing.isBlank(bytes)) return []
        isEmpty = false
        return bytes === undefined
          ? [{ _tag: "Refused", where, bytes: size, reason: tooLong } as const]
          : [item(Parsing.fromLine(bytes, `${file.id}#${number}`, offset), where, size)]
      })
    return fs.stream(file.path).pipe(
      Stream.mapConcat((chunk) => toItems(cutter.push(chunk))),
      Stream.concat(Stream.suspend(() => Stream.fromIterable(toItems(cutter.end())))),
      Stream.concat(
        Stream.suspend(() =>
          Stream.fromIterable(isEmpty ? [item(Either.left("it is empty"), file.path, file.bytes)] : [])
        )
      )
    )
  })

const readWhole = (fs: FileSystem.FileSystem, file: Entry & { readonly _tag: "File" }) => {
  const parse = file.kind === ".md" ? Parsing.fromMarkdown : Parsing.fromText
  return file.bytes > Parsing.maxDocumentBytes
    ? Stream.make(item(Either.left(tooLong), file.path, file.bytes))
    : Stream.map(
      Stream.fromEffect(fs.readFile(file.path)),
      (bytes) => item(parse(bytes, file.id, file.name), file.path, file.bytes)
    )
}

/**
 * Reads everything under `root`, in the order of the names. Ids are the `id` of
 * a JSONL line, else the path below `root` (and `#line` in a JSONL file). At
 * most one document and one chunk of a file are in memory. It never fails: what
 * cannot be read, `root` itself included, is `Refused` and the rest goes on.
 *
 * @since 0.1.0
 * @category constructors
 */
export const read = (root: string): Stream.Stream<Item, never, Files> =>
  Stream.unwrap(Effect.map(FileSystem.FileSystem, (fs) =>
    Stream.flatMap(walk(root), (entry): Stream.Stream<Item> => {
      switch (entry._tag) {
        case "File":
          return (entry.kind === ".jsonl" ? readLines(fs, entry) : readWhole(fs, entry)).pipe(
            Stream.catchAll((error) => Stream.make(item(Either.left(explain(error)), entry.path, 0)))
          )
        case "Unreadable":
          return Stream.make(item(Either.left(entry.reason), entry.path, 0))
        case "Link":
        case "Other":
          return Stream.empty
      }
    })))

/**
 * Counts what `read` will read, without opening a file.
 *
 * @since 0.1.0
 * @category constructors
 */
export const survey = (root: string): Effect.Effect<Survey, never, Files> =>
  Stream.runFold(walk(root), { files: 0, bytes: 0, otherFiles: 0, links: 0 }, (all, entry) => {
    switch (entry._tag) {
      case "File":
        return { ...all, files: all.files + 1, bytes: all.bytes + entry.bytes }
      case "Other":
        return { ...all, otherFiles: all.otherFiles + 1 }
      case "Link":
        return { ...all, links: all.links + 1 }
      case "Unreadable":
        return all
    }
  })
