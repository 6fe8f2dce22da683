/**
 * The resources, templates and prompts of the wire tests' server: some of them
 * ask, and the list of notes may change.
 *
 * @since 0.1.0
 */
import * as Ask from "causeway-mcp/ask/Ask"
import * as McpPrompt from "causeway-mcp/prompt/McpPrompt"
import * as McpResource from "causeway-mcp/resource/McpResource"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { Ledger } from "./Ledger.js"
import { Name } from "./Tools.js"

const name = Ask.form("What is your name?", Name, { key: "user_name" })

export const resources = (ledger: Ledger) =>
  [
    ...["first", "second", "third"].map((word) =>
      McpResource.make(`wire://${word}`, { name: word, read: () => Effect.succeed(McpResource.text(word)) })
    ),
    McpResource.make("wire://asking", {
      name: "asking",
      read: () => Effect.map(name, (answer) => McpResource.text(`Hello, ${answer.name}!`))
    }),
    McpResource.template("wire://note/{id}", {
      name: "note",
      parameters: { id: Schema.String },
      read: ({ id }) => Effect.succeed(McpResource.text(`note ${id}`)),
      list: () => Effect.sync(() => ledger.notes.map((note) => ({ uri: `wire://note/${note}`, name: note })))
    }),
    ...["left", "right"].map((word) =>
      McpResource.template(`wire://${word}/{id}`, {
        name: word,
        parameters: { id: Schema.String },
        read: ({ id }) => Effect.succeed(McpResource.text(`${word} ${id}`))
      })
    )
  ] as const

export const prompts = [
  McpPrompt.make("ask_name", {
    description: "Asks as the tool of the same name does",
    arguments: { topic: Schema.optional(Schema.String) },
    messages: () => Effect.map(name, (answer) => [McpPrompt.user(`Hello, ${answer.name}!`)])
  }),
  McpPrompt.make("greeting", {
    description: "Greets somebody",
    arguments: { who: Schema.String },
    messages: ({ who }) => Effect.succeed([McpPrompt.user(`Hello, ${who}!`)])
  }),
  McpPrompt.make("plain", {
    description: "Says one thing",
    messages: () => Effect.succeed([McpPrompt.user("Plain.")])
  })
] as const
