/**
 * A connection to each node of a Redis Cluster that has slots: commands go to the
 * node that has their key, and fail at once while that one is away.
 *
 * @since 0.1.0
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as ExecutionStrategy from "effect/ExecutionStrategy"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Queue from "effect/Queue"
import * as Random from "effect/Random"
import * as Scope from "effect/Scope"
import type { Redis } from "ioredis"
import type { RedisAddress } from "./RedisAddress.js"
import * as RedisConnection from "./RedisConnection.js"
import * as RedisSlot from "./RedisSlot.js"
import * as RedisTopology from "./RedisTopology.js"
import type { Misconfigured, Trouble } from "./RedisTrouble.js"
import { Unavailable } from "./RedisTrouble.js"

/** A node that has slots, or may have. */
interface Node {
  readonly place: RedisTopology.Place
  readonly connection: RedisConnection.Connection
  readonly scope: Scope.CloseableScope
}

type Answer<A> =
  | { readonly _tag: "Reply"; readonly value: A }
  | RedisTopology.Redirect

/** How often a command is sent on before the cluster is held to be in disorder. */
const maxRedirects = 8
/** How many places that the last map of slots did not name are connected to, until the next one. */
const maxStrangers = 64
/** The pause before a command is sent anew whose keys are being moved. */
const movePause = "25 millis"
/** How often the nodes are asked for their slots when nothing went wrong. */
const restPeriod = "30 seconds"
/** The least time between two such questions. */
const askPause = "100 millis"
/** The time until the next one when no node answered. */
const outagePause = "500 millis"

const keyOf = ({ host, port }: RedisTopology.Place): string => `${host}:${port}`

const failed = (reason: string): Unavailable => new Unavailable({ cause: new Error(reason) })

/** Of two troubles, the one that an operator can do something about. */
const graver = (one: Trouble | undefined, other: Trouble): Trouble => one?._tag === "Misconfigured" ? one : other

const send = <A>(
  { connection, place }: Node,
  command: (redis: Redis) => Promise<A>,
  isAsking: boolean
): Effect.Effect<Answer<A>, Trouble> =>
  connection.use((redis) => {
    // Holds for the next command on this connection. When it is refused, so is the command.
    if (isAsking) redis.asking().catch(() => undefined)
    return command(redis).then(
      (value): Answer<A> => ({ _tag: "Reply", value }),
      (error: unknown) => {
        const redirect = RedisTopology.redirect(error, place.host)
        if (redirect === undefined) throw error
        return redirect
      }
    )
  })

const rangesOf = ({ connection, place }: Node): Effect.Effect<ReadonlyArray<RedisTopology.Range>, Trouble> =>
  Effect.flatMap(
    connection.use((redis) => redis.cluster("SLOTS")),
    (reply) => Effect.mapError(RedisTopology.ranges(reply, place.host), () => failed("the node knows of no slots"))
  )

/**
 * Begins to connect to the cluster that the seeds belong to, and succeeds at
 * once: also while it is away. All of a command, however often it is sent on,
 * must end within the settings' `commandTimeout`. A command is sent on only when
 * a node said that it did not carry it out. The connections end with the scope.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (
  settings: RedisConnection.Settings,
  seeds: ReadonlyArray<RedisAddress>
): Effect.Effect<RedisConnection.Connection, Misconfigured, Scope.Scope> =>
  Effect.gen(function*() {
    const { address, commandTimeout } = settings
    const scope = yield* Effect.scope
    const pool = yield* Scope.fork(scope, ExecutionStrategy.parallel)
    const report = settings.report ??
      (yield* RedisConnection.makeReport(`a node of the Redis cluster at ${keyOf(address)}`))

    const nodes = new Map<string, Node>()
    const away = new Set<string>()
    const retired = new WeakSet<object>()
    const owners: Array<RedisTopology.Place | undefined> = []
    let replicas: ReadonlyArray<RedisTopology.Place> = []
    /** How many nodes the last map of slots named. */
    let named = seeds.length
    let isKnown = false
    let trouble: Trouble | undefined
    const tried = yield* Deferred.make<void>()
    const wake = yield* Queue.sliding<void>(1)
    const alone = yield* Effect.makeSemaphore(1)

    const connect = (place: RedisTopology.Place, report: RedisConnection.Report, within: Scope.Scope) =>
      Scope.extend(
        RedisConnection.make({ ...settings, scripts: undefined, address: { ...address, ...place }, report }),
        within
      )

    const enter = (place: RedisTopology.Place): Effect.Effect<Node, Misconfigured> => {
      const key = keyOf(place)
      return Effect.gen(function*() {
        const found = nodes.get(key)
        if (found !== undefined) return found
        const own = yield* Scope.fork(pool, ExecutionStrategy.sequential)
        const told = (_: object, now: Trouble | undefined) => {
          if (retired.has(own)) return
          if (now === undefined) away.delete(key)
          else {
            away.add(key)
            // Another may have its slots by now, or soon.
            wake.unsafeOffer(undefined)
          }
          report(own, now)
        }
        const node = { place, connection: yield* connect(place, told, own), scope: own }
        nodes.set(key, node)
        return node
      })
    }

    const inTurn = <E>(effect: Effect.Effect<Node, E>): Effect.Effect<Node, E> =>
      Effect.uninterruptible(alone.withPermits(1)(effect))

    /** Connects to a node that a map of slots names. */
    const open = (place: RedisTopology.Place): Effect.Effect<Node, Misconfigured> => inTurn(enter(place))

    /** Connects to wherever a node sends a command: it must not make this process connect to any number of places. */
    const meet = (place: RedisTopology.Place): Effect.Effect<Node, Trouble> =>
      inTurn(Effect.suspend((): Effect.Effect<Node, Trouble> =>
        nodes.has(keyOf(place)) || nodes.size < named + maxStrangers
          ? enter(place)
          : Effect.fail(failed("the nodes name more places than they have"))
      ))

    // Commands in flight on a node that has no slots any more may still end well.
    const retire = (key: string, node: Node): Effect.Effect<void> =>
      Effect.suspend(() => {
        nodes.delete(key)
        away.delete(key)
        retired.add(node.scope)
        report(node.scope, undefined)
        return Effect.sleep(commandTimeout).pipe(
          Effect.zipRight(Scope.close(node.scope, Exit.void)),
          Effect.forkIn(scope),
          Effect.asVoid
        )
      })

    const learn = (found: ReadonlyArray<RedisTopology.Range>): Effect.Effect<void, Misconfigured> =>
      Effect.gen(function*() {
        owners.length = 0
        for (const { first, last, owner } of found) {
          for (let slot = first; slot <= last && slot < RedisSlot.count; slot++) {
            owners[slot] = owner
          }
        }
        replicas = found.flatMap((range) =>
          range.replicas
        )
        isKnown = true
        const kept = new Map(found.map(({ owner }) => [keyOf(owner), owner]))
        yield* Effect.forEach(kept.values(), open, { discard: true })
        named = kept.size
        for (const [key, node] of nodes) if (!kept.has(key)) yield* retire(key, node)
      })

    const awake = () => [...nodes.values()].filter(({ place }) => !away.has(keyOf(place)))

    const rangesAt = (place: RedisTopology.Place): Effect.Effect<ReadonlyArray<RedisTopology.Range>, Trouble> => {
      const node = nodes.get(keyOf(place))
      return node !== undefined
        ? rangesOf(node)
        : Effect.scopeWith((own) =>
          Effect.flatMap(
            connect(place, () => undefined, own),
            (connection) => rangesOf({ place, connection, scope: pool })
          )
        ).pipe(Effect.scoped)
    }

    // Those that are there come first, and strangers last. Not always the same one, or what it has wrong would be held
    // for true for ever; when nothing presses, the seeds too, or a node that claims all slots would be asked alone.
    const ask = (isAtRest: boolean): Effect.Effect<ReadonlyArray<RedisTopology.Range>, Trouble> =>
      Effect.gen(function*() {
        const known = Array.from(nodes.values(), ({ place }) => place)
        const begun = seeds.map(({ host, port }) => ({ host, port }))
        const first = yield* Random.shuffle([...awake().map(({ place }) => place), ...(isAtRest ? begun : [])])
        const places = new Map([...first, ...known, ...begun, ...replicas].map((place) => [keyOf(place), place]))
        let last: Trouble | undefined
        for (const place of places.values()) {
          const found = yield* Effect.either(rangesAt(place))
          if (found._tag === "Right") return found.right
          last = graver(last, found.left)
        }
        return yield* Effect.fail(last ?? new Unavailable({}))
      })

    let isAtRest = false
    const refresh = Effect.suspend(() => ask(isAtRest)).pipe(
      Effect.flatMap(learn),
      Effect.match({
        onSuccess: () => true,
        onFailure: (reason) => {
          trouble = reason
          return false
        }
      }),
      Effect.zipLeft(Deferred.succeed(tried, undefined))
    )

    yield* Effect.forEach(seeds, ({ host, port }) => open({ host, port }), { discard: true })
    yield* refresh.pipe(
      Effect.flatMap((isLearned) =>
        isLearned
          ? Effect.zipRight(Effect.sleep(askPause), Effect.timeoutOption(Queue.take(wake), restPeriod))
          : Effect.asSome(Effect.sleep(outagePause))
      ),
      Effect.map((woken) => {
        isAtRest = Option.isNone(woken)
      }),
      Effect.forever,
      Effect.forkScoped
    )

    const check = Effect.suspend((): Effect.Effect<void, Trouble> =>
      isKnown ? Effect.void : Effect.fail(trouble ?? new Unavailable({}))
    )

    // Only before the nodes were asked for the first time is there something worth waiting for.
    const usable = Effect.suspend(() =>
      isKnown ? Effect.void : Effect.zipRight(Effect.timeoutOption(Deferred.await(tried), commandTimeout), check)
    )

    const anyNode = Effect.suspend((): Effect.Effect<Node, Trouble> => {
      const found = awake()
      const one = found[Math.floor(Math.random() * found.length)] ?? nodes.values().next().value
      return one === undefined ? Effect.fail(new Unavailable({})) : Effect.succeed(one)
    })

    const nodeOf = (slot: number | undefined): Effect.Effect<Node, Trouble> =>
      Effect.suspend(() => {
        const owner = slot === undefined ? undefined : owners[slot]
        if (owner === undefined) return anyNode
        const found = nodes.get(keyOf(owner))
        return found === undefined ? meet(owner) : Effect.succeed(found)
      })

    const use: RedisConnection.Connection["use"] = <A>(command: (redis: Redis) => Promise<A>, key?: string) => {
      const slot = key === undefined ? undefined : RedisSlot.of(key)
      const attempt = (node: Node, isAsking: boolean, left: number): Effect.Effect<A, Trouble> =>
        Effect.flatMap(send(node, command, isAsking), (answer) => {
          switch (answer._tag) {
            case "Reply":
              return Effect.succeed(answer.value)
            case "TryAgain":
              return Effect.zipRight(Effect.sleep(movePause), start(left))
            case "Nowhere":
              return Effect.fail(failed("a node sent the command to a place that cannot be"))
            case "Moved":
              // What it says of other slots it was not asked.
              if (answer.slot === slot) owners[slot] = answer.to
              wake.unsafeOffer(undefined)
              break
            case "Ask":
              break
          }
          return left === 0
            ? Effect.fail(failed("the nodes sent the command to each other"))
            : Effect.flatMap(meet(answer.to), (next) => attempt(next, answer._tag === "Ask", left - 1))
        })
      const start = (left: number) => Effect.flatMap(nodeOf(slot), (node) => attempt(node, false, left))
      return Effect.zipRight(
        usable,
        Effect.timeoutFail(start(maxRedirects), {
          duration: commandTimeout,
          onTimeout: () => failed("the nodes took too long")
        })
      ).pipe(Effect.tapError(() => Effect.sync(() => wake.unsafeOffer(undefined))))
    }

    return {
      use,
      ping: Effect.flatMap(
        use((redis) => redis.cluster("INFO")),
        (info) =>
          /^cluster_state:ok\r?$/mu.test(String(info)) ? Effect.void : Effect.fail(failed("the cluster is not whole"))
      )
    }
  })
