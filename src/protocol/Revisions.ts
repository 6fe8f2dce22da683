/**
 * All revisions that are served, and how one of them is chosen: by what a
 * request claims, or by a handshake.
 *
 * @since 0.1.0
 */
import * as Option from "effect/Option"
import type { Revision } from "./Revision.js"
import * as V2025_03_26 from "./revision/V2025_03_26.js"
import * as V2025_06_18 from "./revision/V2025_06_18.js"
import * as V2025_11_25 from "./revision/V2025_11_25.js"
import * as V2026_07_28 from "./revision/V2026_07_28.js"

/**
 * All of them, the newest first.
 *
 * @since 0.1.0
 * @category models
 */
export const all: ReadonlyArray<Revision> = [
  V2026_07_28.revision,
  V2025_11_25.revision,
  V2025_06_18.revision,
  V2025_03_26.revision
]

/**
 * The versions a request may claim, the newest first.
 *
 * @since 0.1.0
 * @category models
 */
export const stateless: ReadonlyArray<string> = all.filter((revision) => revision.isStateless).map((_) => _.version)

/**
 * The versions a handshake can settle, the newest first.
 *
 * @since 0.1.0
 * @category models
 */
export const handshake: ReadonlyArray<string> = all.filter((revision) => !revision.isStateless).map((_) => _.version)

/**
 * What a request over HTTP is that names no version: clients of this revision
 * had no header to name it in.
 *
 * @since 0.1.0
 * @category models
 */
export const unnamed: Revision = V2025_03_26.revision

const find = (isStateless: boolean): (version: string) => Option.Option<Revision> => {
  const known = new Map(
    all.filter((revision) => revision.isStateless === isStateless).map((_) => [_.version, Option.some(_)] as const)
  )
  return (version) => known.get(version) ?? Option.none()
}

/**
 * The stateless revision a request claims to be of; `None` when it is not
 * served, or is one of those that begin with a handshake.
 *
 * @since 0.1.0
 * @category accessors
 */
export const claimed: (version: string) => Option.Option<Revision> = find(true)

/**
 * The handshake revision of a version; `None` when it is not served, or has no
 * handshake.
 *
 * @since 0.1.0
 * @category accessors
 */
export const settled: (version: string) => Option.Option<Revision> = find(false)

/**
 * The version before the oldest one served; it differs little from that.
 */
const predecessor = "2024-11-05"

/**
 * Answers a handshake: with the version asked for where it is served, with the
 * oldest for the one before it, and otherwise with the newest that has a
 * handshake. Never fails; a client that cannot live with the answer leaves.
 *
 * @since 0.1.0
 * @category constructors
 */
export const negotiate = (requested: string): Revision =>
  Option.getOrElse(
    settled(requested),
    () => (requested === predecessor ? V2025_03_26.revision : V2025_11_25.revision)
  )
