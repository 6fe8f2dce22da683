/**
 * Three fake providers in a process of their own for the soak: seven requests in
 * ten are answered, the others meet a fault by chance. Whoever started it asks
 * what they hold.
 *
 * @since 0.1.0
 */
import * as FakeProvider from "causeway-mcp/testing/FakeProvider"
import * as Effect from "effect/Effect"
import * as Utils from "effect/Utils"

/**
 * What it says when it is told anything.
 *
 * @since 0.1.0
 */
export interface State {
  readonly urls: ReadonlyArray<string>
  /** Requests, open connections and requests under way, all three together. */
  readonly requests: number
  readonly connections: number
  readonly active: number
}

const random = new Utils.PCGRandom(7)

/** Answers with the number that the request has, so that nobody gets another's answer unnoticed. */
const answer = (request: FakeProvider.Recorded): FakeProvider.Reply => {
  const asked = /item (\d+)/u.exec(JSON.stringify(request.body?.messages ?? ""))?.[1] ?? "0"
  const isJson = JSON.stringify(request.body ?? {}).includes("json")
  const delayMs = 2 + Math.floor(random.number() * 25)
  return FakeProvider.text(
    isJson
      ? JSON.stringify({ item: Number(asked), verdict: "in stock" })
      : `The warehouse in Ghent holds item ${asked} and can send it on Thursday.`,
    { delayMs, ...(random.number() < 0.5 ? {} : { gapMs: 2 }) }
  )
}

const streamed = (request: FakeProvider.Recorded): boolean => request.body?.stream === true

const cut = FakeProvider.stream([FakeProvider.event("The warehouse "), FakeProvider.event("in Ghent ")], {
  end: "reset"
})
const ended = FakeProvider.stream([FakeProvider.event("The warehouse "), FakeProvider.event("in Ghent ")])
const stalled = FakeProvider.stream([FakeProvider.event("The warehouse ")], { end: "hang" })

/** Of a thousand requests so many meet each of these. */
const faults: ReadonlyArray<readonly [share: number, reply: (request: FakeProvider.Recorded) => FakeProvider.Reply]> = [
  [4, () => FakeProvider.status(429, { error: { message: "slow down", code: "rate_limit_exceeded" } })],
  [4, () => FakeProvider.status(429, "busy", { "retry-after": "1" })],
  [50, () => FakeProvider.status(503, { error: { message: "overloaded" } })],
  [20, () => FakeProvider.status(500, "<html>error</html>")],
  [20, () => FakeProvider.reset("request")],
  [10, () => FakeProvider.reset("headers")],
  [10, (request) => streamed(request) ? cut : FakeProvider.reset("half")],
  [6, () => FakeProvider.hang("request")],
  [6, () => FakeProvider.hang("headers")],
  [6, (request) => streamed(request) ? stalled : FakeProvider.hang("half")],
  [54, (request) => FakeProvider.delayed(250 + Math.floor(random.number() * 900), answer(request))],
  [30, () => FakeProvider.status(200, "{\"choices\":[{\"message\":")],
  [20, (request) => streamed(request) ? ended : FakeProvider.status(200, { choices: [] })],
  [20, () => FakeProvider.status(200, { error: { message: "upstream failed", code: 502 } })],
  [20, () => FakeProvider.text("The warehouse in", { finishReason: "length" })],
  [20, () => FakeProvider.text("   ")]
]

const reply = FakeProvider.depending((request) => {
  let point = random.number() * 1000
  for (const [share, make] of faults) {
    point -= share
    if (point < 0) return make(request)
  }
  return answer(request)
})

const program = Effect.gen(function*() {
  const servers = yield* Effect.all([FakeProvider.make, FakeProvider.make, FakeProvider.make])
  const script = Effect.forEach(servers, (server) => server.script("*", reply))
  yield* script
  let requests = 0
  process.on("message", () => {
    const state = Effect.runSync(Effect.gen(function*() {
      const seen = yield* Effect.forEach(servers, (server) => server.requests)
      // What was asked is kept for those who want to read it; here it would be the leak.
      yield* Effect.forEach(servers, (server) => server.reset)
      yield* script
      requests += seen.flat().length
      const sum = (of: (server: FakeProvider.Server) => Effect.Effect<number>) =>
        Effect.map(Effect.forEach(servers, of), (values) => values.reduce((all, value) => all + value, 0))
      const state: State = {
        urls: servers.map((server) => server.baseUrl),
        requests,
        connections: yield* sum((server) => server.connections),
        active: yield* sum((server) => server.active)
      }
      return state
    }))
    process.send?.(state)
  })
  process.on("disconnect", () => process.exit(0))
  return yield* Effect.never
})

Effect.runFork(Effect.scoped(program))
