/**
 * A Redis Cluster of its own for a test: nodes that share the slots evenly, and
 * replicas if wanted.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import type { Redis } from "ioredis"
import { createServer } from "node:net"
import type { RedisServer } from "./redis.js"
import * as RedisServers from "./redis.js"
import { client } from "./redisSession.js"

/** A node, and a bare client of it that a test may use to see and to disturb. */
export interface Node extends RedisServer {
  readonly id: string
  readonly redis: Redis
}

export interface RedisCluster {
  /** Each with a share of the slots. */
  readonly owners: ReadonlyArray<Node>
  /** One of each owner, in their order; empty unless asked for. */
  readonly replicas: ReadonlyArray<Node>
  /** The slot of a key, and the owner that has it as the cluster began. */
  readonly find: (key: string) => Effect.Effect<{ readonly slot: number; readonly owner: Node; readonly other: Node }>
  /** All keys that match, on any node that answers. */
  readonly keys: (pattern: string) => Effect.Effect<ReadonlyArray<string>>
}

export const RedisCluster = Context.GenericTag<RedisCluster>("test/RedisCluster")

const slots = 16_384

const freePort = Effect.async<number>((resume) => {
  const server = createServer()
  server.listen(0, "127.0.0.1", () => {
    const address = server.address()
    const port = typeof address === "object" && address !== null ? address.port : 0
    server.close(() => resume(Effect.succeed(port)))
  })
})

const node = (args: ReadonlyArray<string>): Effect.Effect<Node & { readonly bus: number }, never, Scope.Scope> =>
  Effect.gen(function*() {
    // By default it is the port and 10,000 more, which may be none.
    const bus = yield* freePort
    const own = ["--cluster-enabled", "yes", "--cluster-port", String(bus), "--cluster-node-timeout", "1000"]
    const server = yield* RedisServers.make([...own, ...args])
    const redis = yield* client(server.port)
    redis.on("error", () => undefined)
    const id = String(yield* Effect.promise(() => redis.cluster("MYID")))
    return { ...server, id, redis, bus }
  })

/** Asks until a node says so, for 30 seconds at most. */
const until = (what: string, ask: () => Promise<boolean>) =>
  Effect.promise(ask).pipe(
    Effect.filterOrFail((is) => is),
    Effect.retry(Schedule.spaced("50 millis")),
    Effect.timeoutFail({ duration: "30 seconds", onTimeout: () => what }),
    Effect.orDie
  )

const isWhole = async ({ redis }: Node) => String(await redis.cluster("INFO")).includes("cluster_state:ok")

/** Waits until each of the nodes finds the cluster whole. */
export const whole = (nodes: ReadonlyArray<Node>): Effect.Effect<void> =>
  Effect.forEach(nodes, (one) => until("the cluster did not become whole", () => isWhole(one)), { discard: true })

/** Starts as many owners, and a replica of each if wanted. */
export const make = (
  options: { readonly owners?: number; readonly replicas?: boolean; readonly args?: ReadonlyArray<string> } = {}
): Effect.Effect<RedisCluster, never, Scope.Scope> =>
  Effect.gen(function*() {
    const count = options.owners ?? 3
    const nodes = yield* Effect.replicateEffect(node(options.args ?? []), options.replicas === true ? 2 * count : count)
    const owners = nodes.slice(0, count)
    const replicas = nodes.slice(count)
    const ranges = owners.map((owner, index) => ({
      owner,
      first: Math.ceil(index * slots / count),
      last: Math.ceil((index + 1) * slots / count) - 1
    }))
    yield* Effect.promise(async () => {
      for (const { first, last, owner } of ranges) await owner.redis.cluster("ADDSLOTSRANGE", first, last)
      // Nodes with the same epoch settle it between them only later.
      for (const [index, { redis }] of nodes.entries()) await redis.cluster("SET-CONFIG-EPOCH", index + 1)
      for (const { bus, port } of nodes.slice(1)) {
        await owners[0]?.redis.call("CLUSTER", "MEET", "127.0.0.1", String(port), String(bus))
      }
    })
    yield* Effect.forEach(nodes, ({ redis }) =>
      until("the nodes did not meet", async () =>
        String(await redis.cluster("INFO")).includes(`cluster_known_nodes:${nodes.length}`)))
    yield* Effect.forEach(replicas, ({ redis }, index) =>
      Effect.promise(() =>
        redis.cluster("REPLICATE", owners[index]?.id ?? "")
      ))
    yield* Effect.forEach(replicas, ({ redis }) =>
      until("a replica did not follow", async () =>
        (await redis.info("replication")).includes("master_link_status:up")))
    yield* Effect.forEach(nodes, ({ redis }) =>
      until("the nodes do not know the replicas", async () => {
        const found = await redis.cluster("SLOTS") as ReadonlyArray<ReadonlyArray<unknown>>
        return found.length === count && found.every((range) =>
          range.length === (replicas.length > 0 ? 4 : 3)
        )
      }))
    yield* whole(nodes)
    return {
      owners,
      replicas,
      find: (key) =>
        Effect.promise(async () => {
          const slot = Number(await owners[0]?.redis.cluster("KEYSLOT", key))
          const owner = ranges.find(({ last }) =>
            slot <= last
          )?.owner
          const other = owners.find((one) => one !== owner)
          if (owner === undefined || other === undefined) throw new Error("no owner")
          return { slot, owner, other }
        }),
      keys: (pattern) =>
        Effect.promise(async () => (await Promise.all(owners.map(({ redis }) => redis.keys(pattern)))).flat().sort())
    }
  })

export const layer = (options?: Parameters<typeof make>[0]): Layer.Layer<RedisCluster> =>
  Layer.scoped(RedisCluster, make(options))

/** The steps that bring a slot from one owner to another. */
export const migration = (slot: number, from: Node, to: Node, all: ReadonlyArray<Node>) => ({
  /** From now on the one sends on what it does not have, and the other takes it. */
  begin: Effect.promise(async () => {
    await to.redis.cluster("SETSLOT", slot, "IMPORTING", from.id)
    await from.redis.cluster("SETSLOT", slot, "MIGRATING", to.id)
  }),
  /** Brings a key over. */
  key: (key: string) =>
    Effect.promise(async () => {
      await from.redis.migrate("127.0.0.1", to.port, key, 0, 5000)
    }),
  /** Brings over what is still there, and tells all nodes. */
  end: Effect.promise(async () => {
    for (;;) {
      const keys = await from.redis.cluster("GETKEYSINSLOT", slot, 100)
      if (keys.length === 0) break
      await from.redis.migrate("127.0.0.1", to.port, "", 0, 5000, "KEYS", ...keys)
    }
    for (const { redis } of [to, from, ...all]) await redis.cluster("SETSLOT", slot, "NODE", to.id)
  })
})
