import * as Ask from "causeway-mcp/ask/Ask"
import type * as Mcp from "causeway-mcp/protocol/McpSchema"
import type * as FileResource from "causeway-mcp/resource/FileResource"
import * as McpResource from "causeway-mcp/resource/McpResource"
import { notFound } from "causeway-mcp/resource/ResourceError"
import * as ResourceRegistry from "causeway-mcp/resource/ResourceRegistry"
import type * as UriTemplate from "causeway-mcp/resource/UriTemplate"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { describe, expect, test } from "tstyche"

class Store extends Context.Tag("Store")<Store, string>() {}
class Index extends Context.Tag("Index")<Index, ReadonlyArray<string>>() {}
class Catalogue extends Context.Tag("Catalogue")<Catalogue, ReadonlyArray<Mcp.Resource>>() {}

const nothing = () => Effect.succeed(McpResource.text(""))

const stored = McpResource.make("notes://all", {
  name: "all",
  read: () => Effect.map(Store, (text) => McpResource.text(text))
})

const asking = McpResource.make("notes://asked", {
  name: "asked",
  read: () =>
    Effect.gen(function*() {
      const { part } = yield* Ask.form("Which part?", Schema.Struct({ part: Schema.String }))
      const text = yield* Store
      if (!text.includes(part)) return yield* notFound()
      return McpResource.text(part)
    })
})

describe("McpResource.make", () => {
  test("keeps what the handler needs, less what a read brings along", () => {
    expect(stored).type.toBe<McpResource.McpResource<Store>>()
    expect(asking).type.toBe<McpResource.McpResource<Store>>()
    expect(McpResource.make("n://x", { name: "x", read: nothing })).type.toBe<McpResource.McpResource<never>>()
  })

  test("refuses an error that a client could not be told", () => {
    expect(McpResource.make).type.not.toBeCallableWith("n://x", { name: "x", read: () => Effect.fail("other") })
    expect(McpResource.make).type.toBeCallableWith("n://x", { name: "x", read: () => Effect.fail(notFound()) })
  })

  test("refuses a handler that answers a bare value", () => {
    McpResource.make("n://x", {
      name: "x",
      // @ts-expect-error Type 'string' is not assignable to type 'Contents'
      read: () => Effect.succeed("bare")
    })
  })
})

describe("McpResource.template", () => {
  test("knows the variables by the template", () => {
    expect<UriTemplate.Variables<"n://{a}/{+b}{/c,d*}{.e}{?f,g}{&h}{#i}">>().type.toBe<{
      readonly a: string
      readonly b: string
      readonly c: string
      readonly d: string
      readonly e: string
      readonly f?: string
      readonly g?: string
      readonly h?: string
      readonly i?: string
    }>()
    expect<UriTemplate.Variables<string>>().type.toBe<{ readonly [name: string]: string }>()
    McpResource.template("n://{id}{?q}", {
      name: "n",
      read: (parameters) => {
        expect(parameters).type.toBe<{ readonly id: string; readonly q?: string }>()
        return nothing()
      }
    })
  })

  test("hands over what the fields decode", () => {
    McpResource.template("n://{id}{?limit}", {
      name: "n",
      parameters: { id: Schema.NumberFromString, limit: Schema.optional(Schema.NumberFromString) },
      read: (parameters) => {
        expect(parameters).type.toBe<{ readonly id: number; readonly limit?: number | undefined }>()
        return nothing()
      }
    })
    McpResource.template("n://x{?limit}", {
      name: "n",
      parameters: { limit: Schema.NumberFromString.pipe(Schema.optionalWith({ default: () => 10 })) },
      read: (parameters) => {
        expect(parameters).type.toBe<{ readonly limit: number }>()
        return nothing()
      }
    })
  })

  test("needs what reading, completing and listing need", () => {
    const all = McpResource.template("n://{id}{?q}", {
      name: "n",
      read: () => Effect.zipRight(Ask.url("Sign in", "https://example.com"), Effect.map(Store, McpResource.text)),
      complete: { id: () => Index, q: (value) => Effect.succeed([value]) },
      list: () => Catalogue
    })
    expect(all).type.toBe<McpResource.Template<Store | Index | Catalogue>>()
    expect<McpResource.Requirements<typeof all | typeof stored>>().type.toBe<Store | Index | Catalogue>()
    expect(McpResource.template("n://{id}", { name: "n", read: nothing })).type.toBe<McpResource.Template<never>>()
    expect<ReturnType<typeof FileResource.make>>().type.toBe<McpResource.Template<never>>()
  })

  test("refuses a parameter that is not written as a string", () => {
    McpResource.template("n://{id}", {
      name: "n",
      // @ts-expect-error a parameter must be encoded as a string, as in Schema.NumberFromString
      parameters: { id: Schema.Number },
      read: nothing
    })
  })

  test("refuses to complete what is no variable", () => {
    McpResource.template("n://{id}", {
      name: "n",
      read: nothing,
      // @ts-expect-error the template has no such variable
      complete: { nr: () => Effect.succeed([]) }
    })
  })

  test("refuses completions that fail with what a client could not be told", () => {
    expect(McpResource.template).type.not.toBeCallableWith("n://{id}", {
      name: "n",
      read: nothing,
      complete: { id: () => Effect.fail("other") }
    })
  })
})

describe("ResourceRegistry.layer", () => {
  test("needs what its resources need, wherever they are made", () => {
    expect(ResourceRegistry.layer([
      stored,
      asking,
      McpResource.template("n://{id}", { name: "n", read: nothing, complete: { id: () => Index } }),
      McpResource.make("n://x", { name: "x", read: nothing })
    ])).type.toBe<
      Layer.Layer<ResourceRegistry.ResourceRegistry, ResourceRegistry.ResourceRegistryError, Store | Index>
    >()
    expect(ResourceRegistry.layer([])).type.toBe<
      Layer.Layer<ResourceRegistry.ResourceRegistry, ResourceRegistry.ResourceRegistryError>
    >()
  })

  test("takes nothing but resources", () => {
    expect(ResourceRegistry.layer).type.not.toBeCallableWith([{ uri: "n://x", read: nothing }])
  })
})
