/**
 * The least a server in Node can do with the benchmark's tools: parse, switch,
 * serialise. Over `node:http` on the port in `PORT`, on standard streams without.
 *
 * @since 0.1.0
 */
import { createServer } from "node:http"
import { add, search } from "./data.js"

interface Call {
  readonly id?: number
  readonly params: {
    readonly name: string
    readonly arguments: { readonly a: number; readonly b: number; readonly query: string }
  }
}

const answer = (text: string): string | undefined => {
  const { id, params }: Call = JSON.parse(text)
  if (id === undefined) return undefined
  const structuredContent = params.name === "add"
    ? add(params.arguments.a, params.arguments.b)
    : search(params.arguments.query)
  const content = [{ type: "text", text: JSON.stringify(structuredContent) }]
  return JSON.stringify({ jsonrpc: "2.0", id, result: { content, structuredContent } })
}

const http = (port: number): void => {
  createServer((request, response) => {
    const chunks: Array<Buffer> = []
    request.on("data", (chunk: Buffer) => chunks.push(chunk))
    request.on("end", () => {
      const [first] = chunks
      const body = answer((chunks.length === 1 && first !== undefined ? first : Buffer.concat(chunks)).toString())
      if (body === undefined) {
        response.writeHead(202).end()
        return
      }
      response.writeHead(200, { "content-type": "application/json", "content-length": Buffer.byteLength(body) })
      response.end(body)
    })
  }).listen(port, "127.0.0.1")
}

const stdio = (): void => {
  let rest = ""
  process.stdin.setEncoding("utf8").on("data", (chunk: string) => {
    const lines = (rest + chunk).split("\n")
    rest = lines.pop() ?? ""
    let out = ""
    for (const line of lines) {
      const said = line === "" ? undefined : answer(line)
      if (said !== undefined) out += `${said}\n`
    }
    if (out !== "") process.stdout.write(out)
  })
}

const port = process.env["PORT"]
if (port === undefined) stdio()
else http(Number(port))
