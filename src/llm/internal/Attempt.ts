/**
 * One try on the wire: its timers while it is under way, its account when it is
 * over.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type * as Deadline from "../../policy/Deadline.js"
import * as Chat from "../Chat.js"
import type * as Decision from "../Decision.js"
import type * as Llm from "../Llm.js"
import * as LlmError from "../LlmError.js"
import * as Admission from "./Admission.js"
import * as Billing from "./Billing.js"
import type * as Run from "./Run.js"

/** The least time for a first text when it is known how long it usually takes, in milliseconds. */
const leastFirstToken = 400

/**
 * Watches the phases of a try, and ends what it holds exactly once.
 *
 * @since 0.1.0
 * @category models
 */
export class Attempt implements Llm.Observer {
  readonly run: Run.Run
  readonly asking: Admission.Asking
  readonly ticket: Admission.Ticket
  /** Whether nobody else could be asked, so that waiting longer takes nobody's time. */
  readonly isLast: boolean
  readonly startedAt: number
  private phase: Chat.Phase = "answer"
  private phaseEndsAt: number
  private endsAt: number
  private timer: Deadline.Timer | undefined
  private pausedAt: number | undefined
  private ended: Ended | undefined
  private isNoted = false
  private isTimedOut = false
  private firstTextAt: number | undefined
  /** What a stream has brought so far. */
  text = ""
  /** Whether a reader has seen any of it, so that nothing may take its place. */
  isShown = false

  /** `slice` is how long it may take in all, in milliseconds. */
  constructor(run: Run.Run, asking: Admission.Asking, ticket: Admission.Ticket, slice: number, isLast: boolean) {
    this.isLast = isLast
    this.run = run
    this.asking = asking
    this.ticket = ticket
    this.startedAt = run.now()
    this.endsAt = this.startedAt + slice
    this.phaseEndsAt = this.startedAt + this.cap("answer")
  }

  /** Whether its account is closed. */
  get isOver(): boolean {
    return this.ended !== undefined
  }

  /** From here on its time is watched. */
  begin(timer: Deadline.Timer): void {
    this.timer = timer
  }

  /** Milliseconds it has to begin with. */
  get limit(): number {
    return Math.max(0, Math.min(this.phaseEndsAt, this.endsAt) - this.startedAt)
  }

  /** Milliseconds it has at most. */
  get timeLeft(): number {
    return Math.max(0, this.endsAt - this.run.now())
  }

  readonly enter = (phase: Chat.Phase): void => {
    if (this.ended !== undefined) return
    const now = this.run.now()
    this.phase = phase
    this.phaseEndsAt = now + this.cap(phase)
    if (this.pausedAt === undefined) this.arm(now)
    else this.pausedAt = now
  }

  readonly remaining = (left: { readonly requests?: number; readonly tokens?: number }): void =>
    this.asking.target.limits.sync(left, this.run.now())

  /** A text came; `isShown` when a reader will see it. */
  received(text: string, isShown: boolean): void {
    this.text += text
    this.firstTextAt ??= this.run.now()
    if (isShown && !this.isShown) {
      this.isShown = true
      // Nobody takes over from here, so nobody needs the time.
      this.endsAt = this.run.deadline
    }
    this.enter("idle")
  }

  /** Whoever reads is slower than the wire: only the deadline counts. */
  pause(): void {
    this.pausedAt = this.run.now()
    this.timer?.set(this.endsAt - this.pausedAt)
  }

  resume(): void {
    if (this.pausedAt === undefined) return
    const now = this.run.now()
    this.phaseEndsAt += now - this.pausedAt
    this.pausedAt = undefined
    this.arm(now)
  }

  /** The time is over. */
  timedOut(): LlmError.LlmError {
    this.isTimedOut = true
    return new LlmError.LlmError({
      reason: "TimedOut",
      provider: this.asking.target.model.provider,
      phase: this.phase,
      description: `${waits[this.phase]} within ${Math.round(this.run.now() - this.startedAt)} ms`,
      ...(this.text === "" ? {} : { partial: Redacted.make(this.text) })
    })
  }

  /** Whether the time given was too short to judge the model by what it took. */
  private isInnocent(now: number): boolean {
    if (!this.isTimedOut) return false
    if (this.pausedAt !== undefined) return true
    if (this.phaseEndsAt <= this.endsAt) return false
    const usual = this.asking.target.record.median()
    return usual === undefined ? this.run.isHurried : now - this.startedAt < 2 * usual
  }

  /** Whether the request may have reached the model. */
  isSent(error: LlmError.LlmError | undefined): boolean {
    const phase = error?.phase ?? this.phase
    return phase !== "connect" && phase !== "queue"
  }

  /** An answer came: gives back what was held, with what it really used. */
  answered(answer: Chat.TextAnswer | Chat.ObjectAnswer): Ended {
    const { asking, run, ticket } = this
    const now = run.now()
    const cost = answer.isCached === true
      ? Chat.noCost
      : answer.cost ?? Billing.costOf(Admission.inputTokens(run, asking), asking.target, answer.usage, answer)
    if (answer.isCached === true) ticket.permit.refund(now)
    else ticket.permit.settle(Billing.tokensOf(answer.usage), now)
    return this.end(now, cost)
  }

  /** It failed, or was interrupted when there is no error. */
  failed(error: LlmError.LlmError | undefined): Ended {
    const { asking, run, ticket } = this
    const now = run.now()
    const [isSent, usage] = [this.isSent(error), error?.usage]
    if (!isSent) ticket.permit.refund(now)
    else ticket.permit.settle(usage === undefined ? undefined : Billing.tokensOf(usage), now)
    const partial = this.text === "" && error?.partial !== undefined ? Redacted.value(error.partial) : this.text
    const cost = error?.cost ??
      (isSent && Billing.isBilled(error)
        ? Billing.costOf(Admission.inputTokens(run, asking), asking.target, usage ?? {}, { text: partial })
        : undefined)
    return this.end(now, cost)
  }

  /**
   * Nobody waits for it any more: its account is closed at once, however long the
   * model takes to stop. Doing so again changes nothing.
   */
  readonly abandon = (reason: string): Effect.Effect<void> =>
    Effect.suspend(() => {
      const ended = this.ended ?? this.failed(undefined)
      this.note(this.entry(ended, "failed", { reason }))
      const now = this.run.now()
      this.ticket.breaker.ignore(now)
      this.run.engine.telemetry.levels(this.asking.target, now)
      return this.settled(ended.cost)
    })

  /** Puts its line into the trail; only the first counts. */
  note(entry: Chat.Attempt, inner?: ReadonlyArray<Chat.Attempt>): void {
    if (this.isNoted) return
    this.isNoted = true
    this.run.note(this.asking.target, entry, inner)
  }

  /** What becomes of the money that was put aside. */
  settled(cost: Chat.Cost | undefined): Effect.Effect<void> {
    const { reservation } = this.ticket
    return reservation === undefined
      ? Effect.void
      : cost === undefined
      ? reservation.release
      : reservation.settle(cost.usd)
  }

  /** What the breaker, the cooldowns and the record learn from a failure. */
  learn(error: LlmError.LlmError, decision: Decision.Decision, ended: Ended): void {
    const { now } = ended
    const { target } = this.asking
    if (this.isInnocent(now)) return this.ticket.breaker.ignore(now)
    if (decision.health === "success") this.ticket.breaker.succeed(now)
    else if (decision.health === "nothing") this.ticket.breaker.ignore(now)
    else this.ticket.breaker.fail(now, { isConnection: decision.health === "connection" })
    if (error.phase !== "queue" && (decision.next === "yes" || error.reason === "StreamBroken")) {
      target.record.failed(now, ended.elapsedMs)
    }
    const cooldown = decision.cooldown
    if (cooldown === undefined) return
    const cooling = cooldown.scope === "account" ? target.account.cooling : target.cooling
    cooling.begin(now, {
      reason: error.reason,
      atLeast: Duration.toMillis(cooldown.atLeast),
      ...(cooldown.upTo === undefined ? {} : { upTo: Duration.toMillis(cooldown.upTo) }),
      ...(error.retryAfterMs === undefined ? {} : { asked: error.retryAfterMs })
    })
  }

  /** What the breaker, the cooldowns and the record learn from a good answer; of one that was kept, nothing. */
  approve(ended: Ended, isCached: boolean): void {
    const { target } = this.asking
    if (isCached) return this.ticket.breaker.ignore(ended.now)
    this.ticket.breaker.succeed(ended.now)
    target.record.answered(ended.now, ended.elapsedMs, this.firstTextMs)
    target.cooling.reset()
    target.account.cooling.reset()
  }

  /** Its line in the trail. */
  entry(
    ended: Ended,
    outcome: "answered" | "failed",
    facts: {
      readonly model?: string | undefined
      readonly reason?: string | undefined
      readonly phase?: Chat.Phase | undefined
      readonly flaw?: Chat.Flaw | undefined
      readonly retryAfterMs?: number | undefined
    }
  ): Chat.Attempt {
    const { cause, target } = this.asking
    const entry: { -readonly [K in keyof Chat.Attempt]: Chat.Attempt[K] } = {
      provider: target.model.provider,
      model: facts.model ?? target.model.model,
      outcome,
      elapsedMs: ended.elapsedMs
    }
    if (facts.reason !== undefined) entry.reason = facts.reason
    if (facts.phase !== undefined) entry.phase = facts.phase
    if (facts.flaw !== undefined) entry.flaw = facts.flaw
    if (cause !== undefined) entry.cause = cause
    if (this.firstTextMs !== undefined) entry.firstTokenMs = this.firstTextMs
    if (facts.retryAfterMs !== undefined) entry.retryAfterMs = facts.retryAfterMs
    if (ended.cost !== undefined) entry.cost = ended.cost
    return entry
  }

  private get firstTextMs(): number | undefined {
    return this.firstTextAt === undefined ? undefined : Math.max(0, this.firstTextAt - this.startedAt)
  }

  private end(now: number, cost: Chat.Cost | undefined): Ended {
    const ended = { now, elapsedMs: Math.max(0, now - this.startedAt), cost }
    this.run.wireMs += ended.elapsedMs
    this.ended = ended
    return ended
  }

  private arm(now: number): void {
    this.timer?.set(Math.max(0, Math.min(this.phaseEndsAt, this.endsAt) - now))
  }

  private cap(phase: Chat.Phase): number {
    const { millis } = this.run.engine
    if (this.isLast && phase !== "idle") return Number.POSITIVE_INFINITY
    if (phase === "firstToken") {
      const usual = this.asking.target.record.firstTokenP95()
      return usual === undefined
        ? millis.firstToken
        : Math.min(millis.firstToken, Math.max(leastFirstToken, 1.5 * usual))
    }
    return phase === "connect"
      ? millis.headers
      : phase === "queue" || phase === "total"
      ? Number.POSITIVE_INFINITY
      : millis[phase]
  }
}

/**
 * A try that is over: when, how long it took, and what it cost if it cost anything.
 *
 * @since 0.1.0
 * @category models
 */
export interface Ended {
  readonly now: number
  readonly elapsedMs: number
  readonly cost: Chat.Cost | undefined
}

const waits: { readonly [P in Chat.Phase]: string } = {
  queue: "no place",
  connect: "no connection",
  headers: "no headers",
  firstToken: "no first text",
  idle: "no further text",
  answer: "no answer",
  total: "no answer"
}
