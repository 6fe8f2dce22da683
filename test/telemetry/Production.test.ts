import { assert, describe, it } from "@effect/vitest"
import { Metric, ProcessMetric } from "causeway-mcp/telemetry/Telemetry"
import { existsSync, readdirSync, readFileSync } from "node:fs"

const alerts = readFileSync("examples/production/prometheus/alerts.yml", "utf8")
const dashboard = readFileSync("examples/production/grafana/dashboard.json", "utf8")
const names: ReadonlySet<string> = new Set([...Object.values(Metric), ...Object.values(ProcessMetric)])

/** Names of metrics in a text, without what histograms add to them. */
const named = (text: string): ReadonlyArray<string> =>
  [...text.matchAll(/\b(?:causeway|process|nodejs)_[a-z_]+/gu)].map(([name]) =>
    names.has(name) ? name : name.replace(/_(?:bucket|count|sum)$/u, "")
  )

describe("the alerts and the dashboard", () => {
  it("name metrics that exist", () => {
    for (const text of [alerts, dashboard]) {
      const found = named(text)
      assert.isAbove(found.length, 7)
      for (const name of found) assert.isTrue(names.has(name), name)
    }
  })

  it("ask each panel of one source, and lay no panel over another", () => {
    const { panels }: { readonly panels: ReadonlyArray<{ readonly [member: string]: unknown }> } = JSON.parse(dashboard)
    const places = panels.map(({ gridPos }) => JSON.stringify(gridPos))
    assert.strictEqual(new Set(places).size, panels.length)
    assert.strictEqual(new Set(panels.map(({ id }) => id)).size, panels.length)
    for (const { datasource } of panels) assert.deepStrictEqual(datasource, { type: "prometheus", uid: "causeway" })
  })
})

describe("the runbook", () => {
  it("has a page for each alert, under its name, and no page beside them", () => {
    const pages = [...alerts.matchAll(/alert: (?<alert>\w+)[\s\S]*?runbook_url: (?<page>\S+)/gu)]
    assert.lengthOf(pages, (alerts.match(/alert: /gu) ?? []).length)
    for (const { groups } of pages) {
      assert.isTrue(existsSync(String(groups?.page)), groups?.page)
      assert.include(readFileSync(String(groups?.page), "utf8").split("\n")[0], groups?.alert)
    }
    assert.lengthOf(readdirSync("docs/runbook").filter((name) => name !== "README.md"), pages.length)
  })

  it("names panels that the dashboard has, and files that are there", () => {
    for (const page of readdirSync("docs/runbook")) {
      const text = readFileSync(`docs/runbook/${page}`, "utf8")
      for (const [, panel = ""] of text.matchAll(/“([^”]+)”/gu)) {
        // A page of Prometheus' own.
        if (panel !== "Targets") assert.include(dashboard, `"title": "${panel}`, page)
      }
      for (const [, link = ""] of text.matchAll(/\]\(([^)#]+)/gu)) {
        assert.isTrue(existsSync(`docs/runbook/${link}`), link)
      }
    }
  })
})
