/**
 * The two tools of the side-by-side benchmark: `add`, and `search` with five
 * rows of about 4 KB. They are raw tools, since the peers answer without
 * evidence.
 */
import * as McpServer from "causeway-mcp/server/McpServer"
import * as Tool from "causeway-mcp/tool/Tool"
import * as Toolkit from "causeway-mcp/toolkit/Toolkit"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

const sentence =
  "Checkout latency rose after the connection pool was shrunk; the retry budget hid it until the queue filled. "

const rows = [1, 2, 3, 4, 5].map((n) => ({
  id: `doc-${n}`,
  source: `https://docs.example.test/corpus/${n}`,
  confidence: 0.9 - n / 100,
  title: `Result ${n} for `,
  text: `[${n}] ${sentence.repeat(6)}`.slice(0, 600)
}))

const Row = Schema.Struct({
  id: Schema.String,
  source: Schema.String,
  confidence: Schema.Number,
  title: Schema.String,
  text: Schema.String
})

const Add = Tool.raw("add", {
  description: "Add two numbers",
  parameters: { a: Schema.Number, b: Schema.Number },
  success: Schema.Struct({ sum: Schema.Number }),
  safety: "readOnly"
})

const Search = Tool.raw("search", {
  description: "Search the in-memory corpus",
  parameters: { query: Schema.String },
  success: Schema.Struct({ results: Schema.Array(Row) }),
  safety: "readOnly"
})

/** The server every benchmark serves. */
export const Server = McpServer.layerTools(
  Toolkit.make(
    Add.implement(({ a, b }) => Effect.succeed({ structured: { sum: a + b } })),
    Search.implement(({ query }) =>
      Effect.succeed({ structured: { results: rows.map((row) => ({ ...row, title: row.title + query })) } })
    )
  ),
  { name: "bench", version: "1.0.0" }
)
