/**
 * Laws of what a server tells unasked: on 2026-07-28 on a subscription, on the
 * handshake revisions on whatever stream there is.
 */
import { assert } from "@effect/vitest"
import { pageSize } from "../full-server.js"
import type { Law } from "../Law.js"
import { namesOf, textOf, until } from "../Law.js"
import type { Kind, Official } from "../official.js"

const updates = (client: Official): ReadonlyArray<unknown> =>
  client.heard.filter(({ method }) => method === "notifications/resources/updated").map(({ params }) => params["uri"])

const count = (client: Official, method: string): number =>
  client.heard.filter((message) => message.method === method).length

const kinds: ReadonlyArray<readonly [kind: Kind, one: string, changed: string]> = [
  ["tools", "tool", "notifications/tools/list_changed"],
  ["resources", "resource", "notifications/resources/list_changed"],
  ["prompts", "prompt", "notifications/prompts/list_changed"]
]

/** As tools may be called. */
const nameOf = (words: string): string => words.replaceAll(/[^a-z0-9_]/giu, "_")

/** Adds a thing of each kind, and takes it away; the client hears of both and lists anew. */
const followsLists = async (client: Official, own: (name: string) => string): Promise<void> => {
  for (const [kind, one, changed] of kinds) {
    const name = nameOf(own(`momentary_${one}`))
    const item = { kind: one, name }
    for (const [tool, isThere] of [["item_added", true], ["item_removed", false]] as const) {
      const before = count(client, changed)
      await client.call(tool, item)
      await until(() => count(client, changed) > before, `${changed} after ${tool}`)
      assert.strictEqual(namesOf(await client.all(kind)).includes(name), isThere, `${name} after ${tool}`)
      if (isThere && kind === "tools") assert.strictEqual(textOf(await client.call(name)), name)
    }
  }
}

const update = (client: Official, uri: string) => client.call("update_of_resource", { uri })

export const laws: ReadonlyArray<Law> = [
  {
    name: "lists anew by itself when it is asked to follow the lists",
    where: ({ place }) => place !== "stdio",
    check: async ({ connect, own }) => {
      const lists: Array<readonly [Kind, ReadonlyArray<string>]> = []
      const client = await connect({ onList: (kind, names) => void lists.push([kind, names]) })
      for (const [kind, one] of kinds) {
        const item = { kind: one, name: nameOf(own(`followed_${one}`)) }
        // Over HTTP the stream of an older client may still be opening.
        await until(async () => {
          await client.call("item_added", item)
          // SDK v1 lists the first page alone.
          return lists.some(([of, names]) => of === kind && (names.includes(item.name) || names.length === pageSize))
        }, `${kind} to be listed anew`)
        await client.call("item_removed", item)
      }
    }
  },
  {
    name: "follows the lists on a subscription",
    where: ({ isModern }) => isModern,
    check: async ({ client, own }) => {
      const filter = { toolsListChanged: true, resourcesListChanged: true, promptsListChanged: true }
      const subscription = await client.listen(filter)
      assert.deepEqual(subscription.honoredFilter, filter)
      await followsLists(client, own)
      await subscription.close()
      assert.strictEqual(await subscription.closed, "local")
    }
  },
  {
    name: "hears of the resources it listens to, on each subscription and no longer than that",
    where: ({ isModern }) => isModern,
    check: async ({ client }) => {
      const price = await client.listen({ resourceSubscriptions: ["full://price"] })
      const weather = await client.listen({ resourceSubscriptions: ["full://weather"], toolsListChanged: true })
      assert.deepEqual(price.honoredFilter, { resourceSubscriptions: ["full://price"] })
      const before = updates(client).length
      const since = () => updates(client).slice(before)
      await update(client, "full://greeting")
      await update(client, "full://price")
      await until(() => since().length === 1, "the price to be updated")
      await update(client, "full://weather")
      await until(() => since().length === 2, "the weather to be updated")
      await price.close()
      // The server learns of it in its own time; from then on only the other is heard.
      await until(async () => {
        const had = since().length
        await update(client, "full://price")
        await update(client, "full://weather")
        await until(() => since().slice(had).includes("full://weather"), "the weather to be updated again")
        return !since().slice(had).includes("full://price")
      }, "the price not to be heard any more")
      assert.deepEqual(since().slice(0, 2), ["full://price", "full://weather"])
      await weather.close()
    }
  },
  {
    name: "follows the lists unasked",
    where: ({ isModern }) => !isModern,
    check: async ({ client, own }) => {
      // Over HTTP the stream of the session may still be opening.
      await client.subscribe("full://greeting")
      await until(async () => {
        await update(client, "full://greeting")
        return updates(client).length > 0
      }, "the stream to be open")
      await client.unsubscribe("full://greeting")
      await followsLists(client, own)
    }
  },
  {
    name: "hears of the resources it has subscribed to, until it has had enough",
    where: ({ isModern }) => !isModern,
    check: async ({ client }) => {
      await client.subscribe("full://price")
      await client.subscribe("full://weather")
      await until(async () => {
        await update(client, "full://price")
        return updates(client).includes("full://price")
      }, "the stream to be open")
      const before = updates(client).length
      const since = () => updates(client).slice(before)
      await update(client, "full://greeting")
      await update(client, "full://price")
      await update(client, "full://weather")
      await until(() => since().includes("full://weather"), "the weather to be updated")
      assert.includeMembers([...since()], ["full://price"])
      assert.notInclude(since(), "full://greeting")
      await client.unsubscribe("full://price")
      const had = since().length
      await update(client, "full://price")
      await update(client, "full://weather")
      await until(() => since().length > had, "the weather to be updated again")
      assert.deepEqual(since().slice(had), ["full://weather"])
      await client.unsubscribe("full://weather")
    }
  }
]
