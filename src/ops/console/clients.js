// @ts-check
/* global location, navigator, URL, window, document, setTimeout */
/**
 * Settings to copy, for the programs that people ask this server with. A key is
 * never among them.
 */
import { byId, h, putIfNew } from "./dom.js"

/** @typedef {import("./state.js").State} State */
/** @typedef {{ readonly name: string, readonly where: string, readonly text: string }} Setting */

const placeholder = "YOUR_KEY"

/** @param {unknown} value */
const json = (value) => JSON.stringify(value, undefined, 2)

/** A word of a POSIX shell. @param {string} text */
const quoted = (text) => /^[\w./:=@-]+$/u.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`

/**
 * Where clients reach the server: an address that means all of this machine's is
 * known here by the one that the page came from.
 *
 * @param {string} endpoint
 */
const urlOf = (endpoint) => {
  if (!URL.canParse(endpoint, location.href)) return endpoint
  const url = new URL(endpoint, location.href)
  if (url.hostname === "0.0.0.0" || url.hostname === "[::]") url.hostname = location.hostname
  return url.href
}

/** @param {State} state */
const settingsOf = ({ client, server }) => {
  const name = server.name.toLowerCase().replaceAll(/[^a-z0-9-]+/gu, "-").replaceAll(/^-+|-+$/gu, "") || "server"
  const url = urlOf(client.endpoint)
  const headers = client.hasKeys ? { headers: { Authorization: `Bearer ${placeholder}` } } : {}
  const header = client.hasKeys ? [`Authorization: Bearer ${placeholder}`] : []
  const { command } = client
  const stdio = command === undefined ? undefined : { command: command.command, args: command.args, env: command.env }
  const remote = { command: "npx", args: ["-y", "mcp-remote", url, ...header.flatMap((line) => ["--header", line])] }

  /** @type {ReadonlyArray<Setting>} */
  return [
    {
      name: "Claude Desktop",
      where: stdio === undefined
        ? "In claude_desktop_config.json: it starts a program that speaks for it."
        : "In claude_desktop_config.json: it starts the server itself.",
      text: json({ mcpServers: { [name]: stdio ?? remote } })
    },
    {
      name: "Claude Code",
      where: "In a shell.",
      text: [
        "claude mcp add --transport http",
        name,
        quoted(url),
        ...header.flatMap((line) => ["--header", quoted(line)])
      ].join(" ")
    },
    { name: "Cursor", where: "In ~/.cursor/mcp.json.", text: json({ mcpServers: { [name]: { url, ...headers } } }) },
    {
      name: "VS Code",
      where: client.hasKeys ? "In .vscode/mcp.json; it asks for the key and keeps it." : "In .vscode/mcp.json.",
      text: json({
        ...(client.hasKeys
          ? { inputs: [{ type: "promptString", id: "key", description: `Key of ${name}`, password: true }] }
          : {}),
        servers: {
          [name]: {
            type: "http",
            url,
            ...(client.hasKeys ? { headers: { Authorization: "Bearer ${input:key}" } } : {})
          }
        }
      })
    },
    ...(stdio === undefined ? [] : [{
      name: "stdio",
      where: "For a client that starts servers: the command, line by line.",
      text: [
        ...Object.entries(stdio.env ?? {}).map(([variable, value]) => `${variable}=${quoted(value)}`),
        [stdio.command, ...stdio.args].map(quoted).join(" ")
      ].join(" \\\n  ")
    }]),
    {
      name: "curl",
      where: "In a shell: lists the tools.",
      text: [
        `curl -s ${quoted(url)}`,
        ...["content-type: application/json", "accept: application/json", "mcp-protocol-version: 2025-11-25", ...header]
          .map((line) => `-H ${quoted(line)}`),
        `-d ${quoted("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}")}`
      ].join(" \\\n  ")
    },
    {
      name: "TypeScript",
      where: "With @modelcontextprotocol/sdk.",
      text: [
        "import { Client } from \"@modelcontextprotocol/sdk/client/index.js\"",
        "import { StreamableHTTPClientTransport } from \"@modelcontextprotocol/sdk/client/streamableHttp.js\"",
        "",
        "const client = new Client({ name: \"my-program\", version: \"1.0.0\" })",
        client.hasKeys
          ? `await client.connect(new StreamableHTTPClientTransport(new URL(${json(url)}), {\n` +
            "  requestInit: { headers: { Authorization: `Bearer ${process.env.MCP_KEY}` } }\n}))"
          : `await client.connect(new StreamableHTTPClientTransport(new URL(${json(url)})))`,
        "console.log(await client.listTools())"
      ].join("\n")
    }
  ]
}

/** @param {HTMLElement} pre */
const select = (pre) => {
  const range = document.createRange()
  range.selectNodeContents(pre)
  window.getSelection()?.removeAllRanges()
  window.getSelection()?.addRange(range)
}

/** @param {Setting} setting @param {number} index */
const panel = ({ name, text, where }, index) => {
  const pre = h("pre", { tabindex: "0", "aria-label": `Settings for ${name}` }, text)
  const button = h("button", {
    type: "button",
    click: async () => {
      let word = "Copied"
      try {
        await navigator.clipboard.writeText(text)
      } catch {
        // A browser lets only pages of this machine, and of TLS, write to the clipboard.
        select(pre)
        word = "Selected: copy it"
      }
      button.textContent = word
      setTimeout(() => (button.textContent = "Copy"), 2000)
    }
  }, "Copy")
  return h("details", { class: "client", name: "client", open: index === 0 }, h("summary", {}, name),
    h("div", { class: "row spread" }, h("p", { class: "quiet" }, where), button), pre)
}

/** @param {State} state */
export const render = (state) => {
  putIfNew(byId("clients"), [state.client, state.server.name], () => [
    ...settingsOf(state).map(panel),
    state.client.hasKeys && h("p", { class: "quiet" }, `Put your key in place of ${placeholder}. This page gives none away.`)
  ])
}
