// The import order: a folder may import from its own line's folder and from the lines below it.
const lines = [
  ["cli", "testing"],
  ["ops"],
  ["transport"],
  ["server", "manifest"],
  ["toolbox"],
  ["toolkit"],
  ["middleware"],
  ["tool", "resource", "prompt"],
  ["catalog"],
  ["provider"],
  ["llm", "document"],
  ["embedding", "session", "health", "ask", "change", "task"],
  ["auth", "policy"],
  ["redis"],
  ["protocol"],
  ["telemetry"]
]

const upward = lines.flatMap((line, index) =>
  line.map((folder) => {
    const allowed = [folder, ...lines.slice(index + 1).flat()]
    return {
      name: `order-${folder}`,
      comment: `${folder} may import from itself and from below: ${allowed.slice(1).join(", ")}`,
      severity: "error",
      from: { path: `^src/${folder}/` },
      to: { path: "^src/", pathNot: `^src/(${allowed.join("|")})/` }
    }
  })
)

const pure = {
  name: "pure-protocol",
  comment: "protocol is a function of data: no layer, no clock, no state, no Node",
  severity: "error",
  from: { path: "^src/protocol/" },
  to: { path: "(effect/(dist/)?.*(Layer|Context|Ref|Clock|Queue|PubSub|Deferred|Scope)\\.|^node:|@effect/)" }
}

export default {
  forbidden: [
    ...upward,
    pure,
    { name: "no-circle", severity: "error", from: {}, to: { circular: true } },
    {
      name: "no-barrel-inside",
      severity: "error",
      from: { path: "^src/", pathNot: "^src/index\\.ts$" },
      to: { path: "^src/index\\.ts$" }
    },
    {
      name: "internal-stays-inside",
      severity: "error",
      from: { path: "^src/([^/]+)/" },
      to: { path: "^src/([^/]+)/internal/", pathNot: "^src/$1/internal/" }
    },
    {
      name: "no-unknown-folder",
      severity: "error",
      from: { path: `^src/(?!(${lines.flat().join("|")})/|index\\.ts$)` },
      to: {}
    },
    { name: "src-stands-alone", severity: "error", from: { path: "^src/" }, to: { path: "^(test|examples)/" } },
    { name: "not-resolvable", severity: "error", from: {}, to: { couldNotResolve: true } }
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
    enhancedResolveOptions: { exportsFields: ["exports"], conditionNames: ["import", "types", "node", "default"] }
  }
}
