/**
 * Who is to be asked next: the targets of a chain tier by tier, without those
 * that cannot be asked now.
 *
 * @since 0.1.0
 */
import * as Target from "../Target.js"
import * as Run from "./Run.js"

/**
 * The targets that a call has not come to yet.
 *
 * @since 0.1.0
 * @category models
 */
export class Candidates {
  private readonly queue: Array<Target.Target> = []
  private tier = 0
  private readonly run: Run.Run

  constructor(run: Run.Run) {
    this.run = run
  }

  /** The next that can be asked; those before it are noted as passed over. */
  take(now: number): Target.Target | undefined {
    for (;;) {
      const target = this.shift(now)
      if (target === undefined) return undefined
      const obstacle = this.obstacle(target, now)
      if (obstacle !== undefined) {
        this.run.skip(target, obstacle.reason, obstacle.retryAfterMs)
      } else if (this.isTooSlow(target, now) && this.another(now, this.run.wire + 1) !== undefined) {
        this.run.skip(target, "tooSlow")
      } else return target
    }
  }

  /** The next of another account that can be asked and is wanted, which is taken out of its turn. */
  takeOther(
    account: Target.Account,
    now: number,
    isWanted: (target: Target.Target) => boolean
  ): Target.Target | undefined {
    for (;;) {
      const at = this.queue.findIndex((target) =>
        target.account !== account && this.isFree(target, now) && isWanted(target)
      )
      if (at !== -1) return this.queue.splice(at, 1)[0]
      if (!this.reachTier(now)) return undefined
    }
  }

  /**
   * One that could be asked after this; which one is only sure in its turn.
   * `tries` is how many there are on the wire with this one.
   */
  another(now: number, tries: number): Target.Target | undefined {
    if (tries >= this.run.engine.policy.maxAttempts) return undefined
    for (const target of this.queue) if (this.isFree(target, now)) return target
    const { tiers } = this.run.engine
    for (let tier = this.tier; tier < tiers.length; tier++) {
      for (const target of tiers[tier]?.targets ?? []) if (this.isFree(target, now)) return target
    }
    return undefined
  }

  /** How many could be asked after this one, as far as is known now. */
  left(now: number): number {
    const waiting = this.run.engine.tiers.slice(this.tier).flatMap((tier) => tier.targets)
    return [...this.queue, ...waiting].filter((target) => this.isFree(target, now)).length
  }

  /** Notes all that are left as passed over. */
  drop(reason: Target.Obstacle["reason"], now: number): void {
    for (let target = this.shift(now); target !== undefined; target = this.shift(now)) {
      const obstacle = this.obstacle(target, now)
      this.run.skip(target, obstacle?.reason ?? reason, obstacle?.retryAfterMs)
    }
  }

  private shift(now: number): Target.Target | undefined {
    while (this.queue.length === 0) if (!this.reachTier(now)) return undefined
    return this.queue.shift()
  }

  private reachTier(now: number): boolean {
    const { engine, inputTokens, request } = this.run
    const tier = engine.tiers[this.tier]
    if (tier === undefined) return false
    this.tier++
    const ordered = tier.targets.length === 1
      ? tier.targets
      : tier.strategy.order(tier.targets, { request, inputTokens, now, random: engine.random })
    for (const target of ordered) this.queue.push(target)
    return true
  }

  private obstacle(target: Target.Target, now: number): Target.Obstacle | undefined {
    const { contextTokens } = target.traits
    return contextTokens !== undefined && contextTokens <= this.run.largerThan
      ? { reason: "contextTooLong" }
      : Target.obstacle(target, this.run.request, { now, inputTokens: this.run.inputTokens })
  }

  private isFree(target: Target.Target, now: number): boolean {
    return this.obstacle(target, now) === undefined && target.breaker.state(now) !== "open" &&
      !this.isTooSlow(target, now)
  }

  private isTooSlow(target: Target.Target, now: number): boolean {
    return this.run.remaining(now) < (target.record.median() ?? 0)
  }
}

/**
 * How long a try may take, in milliseconds: what is left, less what is kept back
 * and what another model would need. When there is not enough for two, the first
 * has it all.
 *
 * @since 0.1.0
 * @category combinators
 */
export const slice = (run: Run.Run, another: Target.Target | undefined, now: number): number => {
  const all = run.remaining(now) - Run.reserve
  if (another === undefined) return all
  const shared = all - Math.max(Run.leastSlice, another.record.median() ?? 0)
  return shared < Run.leastSlice ? all : shared
}
