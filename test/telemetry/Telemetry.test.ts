import { assert, describe, it } from "@effect/vitest"
import * as Telemetry from "causeway-mcp/telemetry/Telemetry"

describe("Telemetry", () => {
  it("names no two things alike", () => {
    for (const names of [Telemetry.Span, Telemetry.Attribute, Telemetry.Metric, Telemetry.Label]) {
      const values: ReadonlyArray<string> = Object.values(names)
      assert.strictEqual(new Set(values).size, values.length)
    }
  })

  it("names metrics and labels as Prometheus wants them, with their unit last", () => {
    for (const name of Object.values(Telemetry.Metric)) assert.match(name, /^causeway(?:_[a-z]+)+$/u)
    for (const name of Object.values(Telemetry.Label)) assert.match(name, /^[a-z]+$/u)
    for (const name of [Telemetry.Metric.llmCallDuration, Telemetry.Metric.llmOverhead]) {
      assert.match(name, /_seconds$/u)
    }
    for (const name of [Telemetry.Metric.llmCalls, Telemetry.Metric.llmAttempts, Telemetry.Metric.llmCost]) {
      assert.match(name, /_total$/u)
    }
  })

  it("gives attributes names of the conventions or of its own, none for a text", () => {
    for (const name of Object.values(Telemetry.Attribute)) {
      assert.match(name, /^(?:gen_ai|error|http|llm|mcp|jsonrpc|causeway)\.[a-z_.]+$/u)
      assert.notMatch(name, /messages|instructions|prompt|completion|content|key/u)
    }
  })

  it("has buckets that rise, and lie close together around two seconds", () => {
    const { callSeconds, confidences, overheadSeconds, sourceSeconds, waitSeconds } = Telemetry
    for (const ends of [callSeconds, overheadSeconds, sourceSeconds, waitSeconds, confidences]) {
      assert.deepStrictEqual([...ends].sort((a, b) => a - b), [...ends])
      assert.strictEqual(new Set(ends).size, ends.length)
    }
    const near = Telemetry.callSeconds.filter((end) => end >= 1 && end <= 2.5)
    for (const [index, end] of near.slice(1).entries()) assert.isAtMost(end - (near[index] ?? 0), 0.31)
    assert.include(Telemetry.callSeconds, 2)
    // What a chain may add: 60 µs at the median, 300 µs at the 99th percentile.
    assert.includeMembers([...Telemetry.overheadSeconds], [0.000_06, 0.000_3])
  })

  it("spells providers as the conventions do, and leaves those they do not know", () => {
    assert.deepStrictEqual(["mistral", "gemini", "openai", "qwen"].map(Telemetry.genAiProvider), [
      "mistral_ai",
      "gcp.gemini",
      "openai",
      "qwen"
    ])
  })
})
