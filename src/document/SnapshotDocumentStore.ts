/**
 * The store in memory, kept in a file: it starts where the last one ended.
 *
 * @since 0.1.0
 */
import * as Config from "effect/Config"
import type * as ConfigError from "effect/ConfigError"
import type * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Fs from "node:fs"
import * as Path from "node:path"
import * as Embedder from "../embedding/Embedder.js"
import { DocumentStore, overMemory } from "./DocumentStore.js"
import * as MemoryStore from "./internal/MemoryStore.js"
import * as PgliteLock from "./internal/PgliteLock.js"
import * as Snapshot from "./internal/Snapshot.js"
import * as SnapshotFile from "./internal/SnapshotFile.js"

/**
 * Why a snapshot was not read or cannot be written. Nothing of it was changed.
 *
 * @since 0.1.0
 * @category errors
 */
export class SnapshotError extends Schema.TaggedError<SnapshotError>("causeway/SnapshotDocumentStore/SnapshotError")(
  "SnapshotError",
  { path: Schema.String, description: Schema.String, cause: Schema.optionalWith(Schema.Defect, { exact: true }) }
) {
  override get message() {
    return `SnapshotDocumentStore: ${this.description}`
  }
}

/**
 * @since 0.1.0
 * @category configuration
 */
export interface Options {
  /** The file; made when absent, with its folder. */
  readonly path: string
  /** How often what changed is written; 1 minute unless given. It is written at the end of the scope, too. */
  readonly every?: Duration.DurationInput | undefined
}

const failed = (path: string) => ({ cause, description }: SnapshotFile.Problem): SnapshotError =>
  new SnapshotError({ path, description: `the file ${path} ${description}`, ...(cause === undefined ? {} : { cause }) })

/** The file itself, wherever links lead, since two names for one file must not be two locks. */
const place = (path: string): string => {
  const absolute = Path.resolve(path)
  Fs.mkdirSync(Path.dirname(absolute), { recursive: true })
  return Fs.existsSync(absolute)
    ? Fs.realpathSync(absolute)
    : Path.join(Fs.realpathSync(Path.dirname(absolute)), Path.basename(absolute))
}

const acquireLock = (path: string): Effect.Effect<void, SnapshotError, Scope.Scope> => {
  const cannot = (cause: unknown) => failed(path)({ _tag: "Problem", description: "cannot be locked", cause })
  return Effect.acquireRelease(
    Effect.flatMap(
      Effect.try({ try: () => PgliteLock.take(`${path}.lock`), catch: cannot }),
      (lock) =>
        lock._tag === "Taken"
          ? Effect.succeed(lock)
          : failed(path)({ _tag: "Problem", description: lock.why })
    ),
    ({ release }) => Effect.ignore(Effect.try({ try: release, catch: cannot }))
  )
}

const make = (
  options: Options
): Effect.Effect<Context.Tag.Service<DocumentStore>, SnapshotError, Embedder.Embedder | Scope.Scope> =>
  Effect.gen(function*() {
    const embedder = yield* Embedder.Embedder
    const every = Duration.decode(options.every ?? "1 minute")
    const path = yield* Effect.try({
      try: () => place(options.path),
      catch: (cause) => failed(options.path)({ _tag: "Problem", description: "has no folder that can be made", cause })
    })
    yield* acquireLock(path)
    const memory = MemoryStore.make({ embedder })
    yield* SnapshotFile.read(path).pipe(
      Effect.flatMap((file) => file === undefined ? Effect.void : Snapshot.restore(memory, embedder, file.next)),
      Effect.scoped,
      Effect.mapError(failed(path))
    )
    let written = memory.writes()

    const save = Effect.suspend(() => {
      if (memory.writes() === written) return Effect.void
      return Effect.acquireUseRelease(
        Effect.sync(memory.capture),
        (capture) =>
          Effect.map(SnapshotFile.write(path, Snapshot.frames(capture, embedder)), () => {
            written = capture.writes
          }),
        (capture) => Effect.sync(capture.end)
      )
    }).pipe(Effect.uninterruptible, Effect.mapError(failed(path)))

    yield* Effect.addFinalizer(() =>
      Effect.catchAll(save, (error) => Effect.logError("What changed last is lost: no snapshot was written", error))
    )
    yield* Effect.sleep(every).pipe(
      Effect.zipRight(save),
      Effect.catchAll((error) => Effect.logWarning("No snapshot was written; it is tried again", error)),
      Effect.forever,
      Effect.forkScoped
    )
    return overMemory(memory)
  })

/**
 * What was written since the last snapshot is lost when the process is killed:
 * an acknowledged write is durable from the next snapshot on, and revisions that
 * were lost are given again. The file, readable by its owner alone, is
 * replaced as a whole, never half; a writing that fails is logged and tried
 * again. Fails when the file is damaged, of a later program, or holds another
 * embedder's vectors. One process at a time may use a file.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (
  options: Options
): Layer.Layer<DocumentStore, SnapshotError, Embedder.Embedder> => Layer.scoped(DocumentStore, make(options))

/**
 * @since 0.1.0
 * @category layers
 */
export const layerConfig = (
  options: Config.Config.Wrap<Options>
): Layer.Layer<DocumentStore, SnapshotError | ConfigError.ConfigError, Embedder.Embedder> =>
  Layer.scoped(DocumentStore, Effect.flatMap(Config.unwrap(options), make))
