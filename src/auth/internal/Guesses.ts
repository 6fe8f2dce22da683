/**
 * Counts wrong credentials by the network they came from.
 *
 * @since 0.1.0
 */
import type * as Clock from "effect/Clock"
import { isIPv6 } from "node:net"
import { sha256 } from "./Digest.js"

/** @internal */
export interface Guesses {
  /** Milliseconds until a credential from there is looked at again; 0 when it is now. */
  readonly waitOf: (peer: string) => number
  readonly add: (peer: string) => void
}

interface Window {
  readonly since: number
  count: number
}

const mostNetworks = 10_000
/** What is longer is no address. */
const mostCharacters = 64

/** The two halves of an IPv6 address around `::`, as groups. */
const groupsOf = (part: string | undefined): ReadonlyArray<string> =>
  part === undefined || part === "" ? [] : part.split(":")

/**
 * The address, of IPv6 the first 64 bits: what one customer of a provider has at
 * least. An IPv4 address in IPv6 clothes is that IPv4 address. What a proxy lets a
 * client write may be anything, and is kept by its hash when it is long.
 *
 * @internal
 */
export const networkOf = (peer: string): string => {
  if (peer.length > mostCharacters) return sha256(peer)
  const [address = ""] = peer.split("%")
  if (!isIPv6(address)) return address
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/iu.exec(address)?.[1]
  if (mapped !== undefined) return mapped
  const [before, after] = address.split("::")
  const head = groupsOf(before)
  const tail = after === undefined ? [] : groupsOf(after)
  const zeros = Array.from({ length: Math.max(0, 8 - head.length - tail.length) }, () => "0")
  return [...head, ...zeros, ...tail].slice(0, 4).map((group) => Number.parseInt(group, 16).toString(16)).join(":")
}

/** @internal */
export const make = (options: {
  readonly attempts: number
  readonly windowMillis: number
  readonly clock: Clock.Clock
}): Guesses => {
  const { attempts, clock, windowMillis } = options
  /** In the order in which their windows began. */
  const windows = new Map<string, Window>()

  const current = (network: string, now: number): Window | undefined => {
    const found = windows.get(network)
    // A clock that was set back must not lock anybody out for long.
    return found === undefined || Math.abs(now - found.since) >= windowMillis ? undefined : found
  }

  return {
    waitOf: (peer) => {
      // Nobody guesses, most of the time.
      if (windows.size === 0) return 0
      const now = clock.unsafeCurrentTimeMillis()
      const found = current(networkOf(peer), now)
      return found === undefined || found.count < attempts ? 0 : Math.max(1, found.since + windowMillis - now)
    },
    add: (peer) => {
      const now = clock.unsafeCurrentTimeMillis()
      const network = networkOf(peer)
      const found = current(network, now)
      if (found !== undefined) {
        found.count += 1
        return
      }
      windows.delete(network)
      windows.set(network, { since: now, count: 1 })
      const [oldest] = windows.keys()
      if (windows.size > mostNetworks && oldest !== undefined) windows.delete(oldest)
    }
  }
}
