/**
 * The full server's tools that ask the client: forms, a link, its model, its
 * folders; one question, several at once, and one after the other.
 */
import * as Ask from "causeway-mcp/ask/Ask"
import * as Deprecated from "causeway-mcp/ask/Deprecated"
import * as Tool from "causeway-mcp/tool/Tool"
import * as Toolkit from "causeway-mcp/toolkit/Toolkit"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { said } from "../../conformance/fixture/media.js"
import { Key } from "./calls.js"
import * as Journal from "./Journal.js"

const about = { safety: "readOnly", parameters: { key: Key } } as const

export const Name = Schema.Struct({ name: Schema.String.annotations({ title: "Your name" }) })

const Person = Schema.Struct({
  name: Schema.String,
  age: Schema.Int.pipe(Schema.between(18, 120)),
  colour: Schema.Literal("red", "green"),
  letters: Schema.optional(Schema.Boolean)
})

const person = Tool.raw("person_by_form", {
  ...about,
  description: "Asks the user who they are, once something was done that is not done twice"
}).implement(({ key }) =>
  Effect.gen(function*() {
    yield* Ask.step("prepare", Journal.note(key, "prepared"))
    const who = yield* Ask.form("Who are you?", Person)
    yield* Journal.note(key, `answered ${JSON.stringify(who)}`)
    return said(`${who.name}, ${who.age}, ${who.colour}`)
  })
)

const consent = Tool.raw("consent_to_link", {
  ...about,
  description: "Asks the user to open a link"
}).implement(({ key }) =>
  Effect.gen(function*() {
    yield* Ask.url("Please sign in", "https://example.com/sign-in")
    yield* Journal.note(key, "consented")
    return said("consented")
  })
)

const model = Tool.raw("words_of_the_model", {
  ...about,
  description: "Puts a question to the client's model"
}).implement(({ key }) =>
  Effect.gen(function*() {
    const { content, model } = yield* Deprecated.sample({
      messages: [{ role: "user", content: { type: "text", text: "What is the capital of France?" } }],
      systemPrompt: "Be short.",
      maxTokens: 100
    })
    yield* Journal.note(key, `sampled ${model}`)
    return said(JSON.stringify(content))
  })
)

const roots = Tool.raw("roots_of_the_client", {
  ...about,
  description: "Asks the client which folders it works in"
}).implement(({ key }) =>
  Effect.gen(function*() {
    const found = yield* Deprecated.roots()
    yield* Journal.note(key, `roots ${found.length}`)
    return said(found.map(({ uri }) => uri).join(" "))
  })
)

const several = Tool.raw("answers_at_once", {
  ...about,
  description: "Asks three different things at once"
}).implement(({ key }) =>
  Effect.gen(function*() {
    const { folders, greeting, who } = yield* Ask.all({
      who: Ask.form("What is your name?", Name),
      greeting: Deprecated.sample({
        messages: [{ role: "user", content: { type: "text", text: "Greet" } }],
        maxTokens: 10
      }),
      folders: Deprecated.roots()
    })
    yield* Journal.note(key, "answered")
    return said(`${who.name} ${greeting.model} ${folders.length}`)
  })
)

const rounds = Tool.raw("colour_after_name", {
  ...about,
  description: "Asks a second thing when the first was answered"
}).implement(({ key }) =>
  Effect.gen(function*() {
    const { name } = yield* Ask.form("What is your name?", Name)
    yield* Journal.note(key, `name ${name}`)
    const { colour } = yield* Ask.form(
      `Which colour, ${name}?`,
      Schema.Struct({ colour: Schema.Literal("red", "green") })
    )
    return said(`${name} likes ${colour}`)
  })
)

export const toolkit = Toolkit.make(person, consent, model, roots, several, rounds)
