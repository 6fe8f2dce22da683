/**
 * Limits, breakers and budgets that remember what was taken from them and how
 * each of it was given back.
 */
import * as Budget from "causeway-mcp/llm/Budget"
import * as Limits from "causeway-mcp/llm/Limits"
import * as CircuitBreaker from "causeway-mcp/policy/CircuitBreaker"
import * as Effect from "effect/Effect"

export interface Place {
  readonly takenAt: number
  readonly reserved: number
  /** `refunded`, or what it was settled with; nothing while it is held. */
  ended: "refunded" | { readonly tokens: number | undefined } | undefined
}

/** Limits, and every place that was taken of them. */
export const limits = (options: Limits.Options) => {
  const real = Limits.make(options)
  const places: Array<Place> = []
  const watched: Limits.Limits = {
    tryTake: (tokens, now) => {
      const taken = real.tryTake(tokens, now)
      if (typeof taken === "number") return taken
      const place: Place = { takenAt: now, reserved: tokens, ended: undefined }
      places.push(place)
      return {
        settle: (used, at) => {
          place.ended ??= { tokens: used }
          taken.settle(used, at)
        },
        refund: (at) => {
          place.ended ??= "refunded"
          taken.refund(at)
        }
      }
    },
    released: real.released,
    sync: real.sync,
    headroom: real.headroom,
    get inFlight() {
      return real.inFlight
    },
    concurrency: real.concurrency
  }
  return { watched, places }
}

export type Verdict = "succeeded" | "failed" | "connection" | "ignored" | "open"

export interface Leave {
  readonly isProbe: boolean
  verdict: Verdict
}

/** A breaker, and every leave it gave. */
export const breaker = (options: CircuitBreaker.Options | false) => {
  const real = options === false ? CircuitBreaker.off : CircuitBreaker.make(options)
  const leaves: Array<Leave> = []
  const noted = (permit: CircuitBreaker.Permit | undefined): CircuitBreaker.Permit | undefined => {
    if (permit === undefined) return undefined
    const leave: Leave = { isProbe: permit.isProbe, verdict: "open" }
    leaves.push(leave)
    const end = (verdict: Verdict): void => {
      if (leave.verdict === "open") leave.verdict = verdict
    }
    return {
      isProbe: permit.isProbe,
      succeed: (now) => {
        end("succeeded")
        permit.succeed(now)
      },
      fail: (now, how) => {
        end(how?.isConnection === true ? "connection" : "failed")
        permit.fail(now, how)
      },
      ignore: (now) => {
        end("ignored")
        permit.ignore(now)
      }
    }
  }
  const watched: CircuitBreaker.CircuitBreaker = {
    state: real.state,
    tryAcquire: (now) => noted(real.tryAcquire(now)),
    force: (now) => noted(real.force(now)),
    reopensAt: real.reopensAt
  }
  return { watched, leaves }
}

/** A budget, and how many of its reservations are open. */
export const budget = (total: number) => {
  const real = Budget.make({ total })
  const counts = { open: 0, reserved: 0, refused: 0 }
  const watched: Budget.Budget = {
    reserve: (tenant, usd) =>
      real.reserve(tenant, usd).pipe(
        Effect.tapError(() => Effect.sync(() => void counts.refused++)),
        Effect.map((reservation) => {
          counts.open++
          counts.reserved++
          let isOpen = true
          const closing = Effect.sync(() => {
            if (isOpen) counts.open--
            isOpen = false
          })
          return {
            settle: (usd) => Effect.zipRight(closing, reservation.settle(usd)),
            release: Effect.zipRight(closing, reservation.release)
          }
        })
      ),
    left: real.left
  }
  return { watched, counts, total }
}
