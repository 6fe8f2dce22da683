/**
 * Bounds what may be spent on models, in all and per tenant: reserved before a
 * call, settled after it, so that calls at the same time cannot overspend.
 *
 * @since 0.1.0
 */
import type * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as LlmError from "./LlmError.js"

/**
 * @since 0.1.0
 * @category configuration
 */
export interface Options {
  /** US dollars in a period, all tenants together; no limit unless given. */
  readonly total?: number | undefined
  /** US dollars in a period for each tenant; no limit unless given. */
  readonly perTenant?: number | undefined
  /** Other limits for tenants by name. */
  readonly tenants?: { readonly [tenant: string]: number } | undefined
  /** Begins at the start of the Unix epoch and anew each time; a day (of UTC) unless given. */
  readonly period?: Duration.DurationInput | undefined
  /** What is done with a call whose price nobody knows: `"refuse"` unless given, since it could cost anything. */
  readonly unpriced?: "refuse" | "allow" | undefined
  /** Tenants counted at once; the longest unused is forgotten, or a new one refused when all are in use; 10,000 unless given. */
  readonly maxTenants?: number | undefined
}

/**
 * Money put aside for one call. The first of the two counts; one of them has to
 * be run.
 *
 * @since 0.1.0
 * @category models
 */
export interface Reservation {
  /** What it cost after all; more than was reserved is counted too. */
  readonly settle: (usd: number) => Effect.Effect<void>
  /** It was never sent. */
  readonly release: Effect.Effect<void>
}

/**
 * A budget; one that several instances share can be put in its place.
 *
 * @since 0.1.0
 * @category models
 */
export interface Budget {
  /**
   * Puts the most a call may cost aside (`undefined`: nobody knows); fails as
   * `BudgetExceeded`, with `retryAfterMs` until the next period. It is waited for
   * and not interrupted, so one that is far away bounds its own time.
   */
  readonly reserve: (
    tenant: string | undefined,
    usd: number | undefined
  ) => Effect.Effect<Reservation, LlmError.LlmError>
  /** What is left in this period: in all, or to a tenant, which has no more than is left in all; `Infinity` without a limit. */
  readonly left: (tenant?: string) => Effect.Effect<number>
  /** What a period begins with, all tenants together; absent without a limit, or where nobody tells. */
  readonly total?: number | undefined
}

/**
 * Makes a budget kept in memory. Options out of their range throw a
 * `RangeError` that names them.
 *
 * Calls without a tenant count as those of one more tenant. A reservation counts
 * in the period in which it was made, however late it is settled. Amounts are
 * rounded to a billionth of a dollar; one that is negative or no finite number
 * is an unknown price when reserved, and when settled leaves what was reserved.
 * With an infinite `period` it never begins anew. A wall clock that is set back
 * gives no money back: a period ends when the next one begins by the wall clock,
 * or when it has lasted its full length by the clock that does not go back.
 * A tenant that is forgotten, at `maxTenants`, begins anew; in use are those
 * with a reservation that is open.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: Options): Budget => {
  const settings = check(options)
  const { maxTenants, period } = settings
  const all: Account = { limit: settings.total, period: 0, used: 0, open: 0 }
  /** Tenants without and with an open reservation; the first of `idle` is the longest unused. */
  const idle = new Map<string | undefined, Account>()
  const busy = new Map<string | undefined, Account>()
  /** The period by the wall clock, and its beginning by the clock that does not go back. */
  let begun = { number: Number.NEGATIVE_INFINITY, at: 0 }
  /** Counts up with each period, also when the wall clock was set back. */
  let current = 0

  const limitOf = (tenant: string | undefined): number =>
    (tenant === undefined ? undefined : settings.tenants.get(tenant)) ?? settings.perTenant

  const roll = (now: Now): void => {
    const number = period === Number.POSITIVE_INFINITY ? 0 : Math.floor(now.wall / period)
    if (number === begun.number || number < begun.number && now.steady - begun.at < period) return
    begun = { number, at: now.steady }
    current += 1
    all.used = 0
    all.period = current
    idle.clear()
  }

  const untilNext = (now: Now): number =>
    Math.max(0, Math.ceil(Math.min((begun.number + 1) * period - now.wall, begun.at + period - now.steady)))

  const usedBy = (account: Account | undefined): number =>
    account === undefined || account.period !== current ? 0 : account.used

  const find = (tenant: string | undefined): Account | undefined => busy.get(tenant) ?? idle.get(tenant)

  /** The tenant's account as busy; `undefined` when there is no room for one. */
  const occupy = (tenant: string | undefined, limit: number): Account | undefined => {
    const known = find(tenant)
    if (known === undefined && idle.size + busy.size >= maxTenants) {
      const longest = idle.keys().next()
      if (longest.done === true) return undefined
      idle.delete(longest.value)
    }
    const account = known ?? { limit, period: current, used: 0, open: 0 }
    if (account.period !== current) {
      account.period = current
      account.used = 0
    }
    if (account.open === 0) {
      idle.delete(tenant)
      busy.set(tenant, account)
    }
    return account
  }

  const add = (account: Account, amount: number): void => {
    account.used += amount
    account.open += 1
  }

  const take = (
    tenant: string | undefined,
    usd: number | undefined,
    now: Now
  ): Effect.Effect<Reservation, LlmError.LlmError> => {
    roll(now)
    const isPriced = isAmount(usd)
    if (!isPriced && settings.unpriced === "refuse") return unpriced
    const amount = isPriced ? toUnits(usd) : 0
    const limit = limitOf(tenant)
    if (!fits(all.limit, all.used, amount, isPriced)) {
      return exceeded("may be spent in all", all.limit, amount, untilNext(now))
    }
    if (!fits(limit, usedBy(find(tenant)), amount, isPriced)) {
      return exceeded("this tenant may spend", limit, amount, untilNext(now))
    }
    // Nothing is held against a tenant without a limit, so nothing has to be kept of it.
    const account = limit === Number.POSITIVE_INFINITY ? undefined : occupy(tenant, limit)
    if (account === undefined && limit !== Number.POSITIVE_INFINITY) return crowded
    add(all, amount)
    if (account !== undefined) add(account, amount)
    return Effect.succeed(reservation(tenant, account, amount))
  }

  const reservation = (tenant: string | undefined, account: Account | undefined, amount: number): Reservation => {
    const period = current
    let isOpen = true
    const close = (difference: number): void => {
      if (!isOpen) return
      isOpen = false
      all.open -= 1
      if (all.period === period) all.used += difference
      if (account === undefined) return
      account.open -= 1
      if (account.period === period) account.used += difference
      if (account.open > 0) return
      busy.delete(tenant)
      if (usedBy(account) > 0) idle.set(tenant, account)
    }
    return {
      settle: (usd) => Effect.sync(() => close(isAmount(usd) ? toUnits(usd) - amount : 0)),
      release: Effect.sync(() => close(-amount))
    }
  }

  return {
    total: Number.isFinite(options.total) ? options.total : undefined,
    reserve: (tenant, usd) => Effect.clockWith((clock) => take(tenant, usd, nowOf(clock))),
    left: (tenant) =>
      Effect.clockWith((clock) => {
        roll(nowOf(clock))
        const inAll = left(all.limit, all.used)
        return Effect.succeed(
          tenant === undefined ? inAll : Math.min(inAll, left(limitOf(tenant), usedBy(find(tenant))))
        )
      })
  }
}

/** What was used in a period; open reservations, of any period, keep it from being forgotten. */
interface Account {
  readonly limit: number
  period: number
  used: number
  open: number
}

interface Now {
  readonly wall: number
  readonly steady: number
}

const nowOf = (clock: Clock.Clock): Now => ({
  wall: clock.unsafeCurrentTimeMillis(),
  steady: Number(clock.unsafeCurrentTimeNanos()) / 1_000_000
})

/** Whole billionths of a dollar, so that sums have no remainder. */
const units = 1_000_000_000

const toUnits = (usd: number): number => Math.round(usd * units)

const isAmount = (usd: number | undefined): usd is number =>
  usd !== undefined && usd >= 0 && usd <= Number.MAX_VALUE / units

/** Of what nobody knows the price of, something has to be left. */
const fits = (limit: number, used: number, amount: number, isPriced: boolean): boolean =>
  isPriced ? amount === 0 || used + amount <= limit : used < limit

const left = (limit: number, used: number): number => Math.max(0, limit - used) / units

const refuse = (description: string, retryAfterMs?: number): Effect.Effect<never, LlmError.LlmError> =>
  Effect.fail(
    new LlmError.LlmError({
      reason: "BudgetExceeded",
      provider: "budget",
      description,
      ...(retryAfterMs === undefined || retryAfterMs === Number.POSITIVE_INFINITY ? {} : { retryAfterMs })
    })
  )

const unpriced = Effect.suspend(() =>
  refuse("the price of this model is not known; give it a price, or let the budget allow models without one")
)

const crowded = Effect.suspend(() => refuse("more tenants have calls under way than this budget can count"))

const exceeded = (what: string, limit: number, amount: number, untilNext: number) =>
  amount > limit
    ? refuse(`this call may cost more than ${what} in a whole period`)
    : refuse(`what ${what} in this period is spent or put aside`, untilNext)

interface Settings {
  readonly total: number
  readonly perTenant: number
  readonly tenants: ReadonlyMap<string, number>
  readonly period: number
  readonly unpriced: "refuse" | "allow"
  readonly maxTenants: number
}

const check = (options: Options): Settings => {
  const limit = (name: string, usd: number | undefined): number => {
    if (usd === undefined) return Number.POSITIVE_INFINITY
    if (!(usd >= 0)) throw new RangeError(`${name} has to be 0 US dollars or more; it is ${usd}.`)
    return toUnits(usd)
  }
  const period = Option.match(Duration.decodeUnknown(options.period ?? "1 day"), {
    onNone: () => Number.NaN,
    onSome: Duration.toMillis
  })
  if (!(period > 0)) throw new RangeError(`period has to be a duration above zero; it is ${String(options.period)}.`)
  const maxTenants = options.maxTenants ?? 10_000
  if (!(Number.isInteger(maxTenants) && maxTenants >= 1)) {
    throw new RangeError(`maxTenants has to be a whole number of at least 1; it is ${maxTenants}.`)
  }
  const unpriced = options.unpriced ?? "refuse"
  if (unpriced !== "refuse" && unpriced !== "allow") {
    throw new RangeError(`unpriced has to be "refuse" or "allow"; it is ${String(unpriced)}.`)
  }
  return {
    total: limit("total", options.total),
    perTenant: limit("perTenant", options.perTenant),
    tenants: new Map(
      Object.entries(options.tenants ?? {}).map(([tenant, usd]) => [tenant, limit(`tenants.${tenant}`, usd)])
    ),
    period,
    unpriced,
    maxTenants
  }
}
