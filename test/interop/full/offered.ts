/**
 * The full server's resources, prompts and completions.
 */
import * as Ask from "causeway-mcp/ask/Ask"
import * as McpPrompt from "causeway-mcp/prompt/McpPrompt"
import * as McpResource from "causeway-mcp/resource/McpResource"
import * as ResourceError from "causeway-mcp/resource/ResourceError"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { png } from "../../conformance/fixture/media.js"
import { Name } from "./questions.js"

const cities: { readonly [country: string]: ReadonlyArray<string> } = {
  france: ["Paris", "Pau", "Lyon"],
  germany: ["Potsdam", "Berlin"]
}

const fixed = (name: string) =>
  McpResource.make(`full://${name}`, {
    name,
    title: `The ${name}`,
    mimeType: "text/plain",
    read: () => Effect.succeed(McpResource.text(`This is the ${name}.`))
  })

export const resources = [
  fixed("greeting"),
  fixed("price"),
  fixed("weather"),
  McpResource.make("full://pixel", {
    name: "pixel",
    description: "A picture of one pixel",
    mimeType: "image/png",
    read: () => Effect.succeed(McpResource.bytes(Buffer.from(png, "base64")))
  }),
  McpResource.make("full://secret", {
    name: "secret",
    mimeType: "text/plain",
    read: () => Effect.map(Ask.form("Who reads this?", Name), ({ name }) => McpResource.text(`For ${name} alone.`))
  }),
  McpResource.template("full://city/{country}/{city}", {
    name: "city",
    description: "A city of a country",
    mimeType: "application/json",
    read: ({ city, country }) =>
      cities[country]?.includes(city) === true
        ? Effect.succeed(McpResource.json({ country, city }))
        : Effect.fail(ResourceError.notFound()),
    complete: {
      country: (typed) => Effect.succeed(Object.keys(cities).filter((name) => name.startsWith(typed))),
      city: (typed, { arguments: { country = "" } }) =>
        Effect.succeed((cities[country] ?? []).filter((name) => name.startsWith(typed)))
    }
  })
]

const plain = (name: string) =>
  McpPrompt.make(name, { description: "Says hello", messages: () => Effect.succeed(McpPrompt.user("Hello")) })

export const prompts = [
  McpPrompt.make("greeting_of_person", {
    title: "Greet",
    description: "Greets a person in a tone",
    arguments: {
      name: Schema.String.annotations({ description: "Whom to greet" }),
      tone: Schema.optional(Schema.Literal("warm", "wary", "cold"))
    },
    messages: ({ name, tone = "warm" }) =>
      Effect.succeed([McpPrompt.user(`Greet ${name}`), McpPrompt.assistant(`In a ${tone} tone`)])
  }),
  McpPrompt.make("greeting_by_form", {
    description: "Asks the user first",
    messages: () => Effect.map(Ask.form("Whom to greet?", Name), ({ name }) => McpPrompt.user(`Greet ${name}`))
  }),
  plain("hello_one"),
  plain("hello_two")
]
