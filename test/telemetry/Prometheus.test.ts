import { assert, describe, it } from "@effect/vitest"
import * as Instrument from "causeway-mcp/telemetry/Instrument"
import * as Prometheus from "causeway-mcp/telemetry/Prometheus"
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"

/** The lines of one metric. */
const linesOf = (name: string, options?: Prometheus.Options): ReadonlyArray<string> =>
  Prometheus.render(options).split("\n").filter((line) => line.includes(name))

const later = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75," +
  "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"

describe("Prometheus.render", () => {
  it("writes a counter with its help, type and labels in order", () => {
    const count = Instrument.counter("t_calls_total", "Calls, by \\ and\nline.")
    count({ zone: "b", area: "x" })(3)
    count({ area: "a" })(1)
    assert.deepStrictEqual(linesOf("t_calls"), [
      "# HELP t_calls_total Calls, by \\\\ and\\nline.",
      "# TYPE t_calls_total counter",
      "t_calls_total{area=\"a\"} 1",
      "t_calls_total{area=\"x\",zone=\"b\"} 3"
    ])
  })

  it("names a counter in OpenMetrics without its ending, and ends with a mark", () => {
    Instrument.counter("t_open_total", "\"Open\".")()(2)
    assert.deepStrictEqual(linesOf("t_open", { format: "openmetrics" }), [
      "# HELP t_open \\\"Open\\\".",
      "# TYPE t_open counter",
      "t_open_total 2"
    ])
    assert.isTrue(Prometheus.render({ format: "openmetrics" }).endsWith("\n# EOF\n"))
    assert.notInclude(Prometheus.render(), "# EOF")
  })

  it("gives counters their ending, and calls what may go down a gauge", () => {
    Metric.counter("t_bare", { incremental: true }).unsafeUpdate(1, [])
    Metric.counter("t_both", { description: "Up and down." }).unsafeUpdate(-2, [])
    assert.include(linesOf("t_bare"), "t_bare_total 1")
    assert.deepStrictEqual(linesOf("t_both").slice(1), ["# TYPE t_both gauge", "t_both -2"])
  })

  it("writes a histogram whose last bucket holds all, whatever was observed", () => {
    const observe = Instrument.histogram("t_time_seconds", "Time.", [0.5, 1, 10])({ tool: "x" })
    for (const value of [0.5, 0.7, 100, NaN]) observe(value)
    assert.deepStrictEqual(linesOf("t_time").slice(2), [
      "t_time_seconds_bucket{tool=\"x\",le=\"0.5\"} 1",
      "t_time_seconds_bucket{tool=\"x\",le=\"1.0\"} 2",
      "t_time_seconds_bucket{tool=\"x\",le=\"10.0\"} 2",
      "t_time_seconds_bucket{tool=\"x\",le=\"+Inf\"} 4",
      "t_time_seconds_sum{tool=\"x\"} NaN",
      "t_time_seconds_count{tool=\"x\"} 4"
    ])
  })

  it("writes summaries, frequencies and numbers of any length", () => {
    const summary = Metric.summary({
      ...{ name: "t_sum", maxAge: "1 day", maxSize: 10, error: 0, description: "Sum." },
      quantiles: [0.5, 1]
    })
    Effect.runSync(Metric.update(summary, 4))
    Effect.runSync(Metric.update(Metric.frequency("t_words", { description: "Words." }), "a\"b"))
    Metric.gauge("t_big", { bigint: true, description: "Big." }).unsafeUpdate(12345678901234567890n, [])
    assert.includeMembers([...linesOf("t_sum")], ["t_sum{quantile=\"1.0\"} 4", "t_sum_sum 4", "t_sum_count 1"])
    assert.include(linesOf("t_words"), "t_words_total{word=\"a\\\"b\"} 1")
    assert.include(linesOf("t_big"), "t_big 12345678901234567890")
  })

  it("writes what is no number, and what is without end", () => {
    const level = Instrument.gauge("t_level", "Level.")
    for (const value of [NaN, Infinity, -Infinity, 1e21]) level({ is: String(value) }).set(value)
    assert.sameMembers([...linesOf("t_level")].slice(2), [
      "t_level{is=\"NaN\"} NaN",
      "t_level{is=\"Infinity\"} +Inf",
      "t_level{is=\"-Infinity\"} -Inf",
      "t_level{is=\"1e+21\"} 1e+21"
    ])
  })

  it("escapes what stands in labels, and replaces what may not stand in names", () => {
    Instrument.gauge("t.odd-name", "Odd.")({ "a-b": "x\"y\\z\nw\r", le: "1", "9": "d" }).set(1)
    assert.include(
      linesOf("t_odd_name"),
      "t_odd_name{_9=\"d\",a_b=\"x\\\"y\\\\z\\nw \",exported_le=\"1\"} 1"
    )
  })

  it("keeps one type to a name, and one line to a series", () => {
    Instrument.gauge("t_twice", "A gauge.")().set(1)
    Instrument.histogram("t_twice", "A histogram.", [1])()(1)
    Instrument.gauge("t_same", "Same.")({ "a.b": "1" }).set(1)
    Instrument.gauge("t_same", "Same.")({ "a-b": "1" }).set(2)
    const lines = Prometheus.render().split("\n")
    assert.lengthOf(lines.filter((line) => line === "# TYPE t_twice gauge"), 1)
    assert.lengthOf(lines.filter((line) => line === "# TYPE t_twice_histogram histogram"), 1)
    assert.include(lines, "t_twice_histogram_bucket{le=\"1.0\"} 1")
    assert.lengthOf(lines.filter((line) => line.startsWith("t_same{")), 1)
  })

  it("gives no two families lines of one name", () => {
    Instrument.counter("t_fight", "A counter.")()(1)
    Instrument.gauge("t_fight_total", "A gauge.")().set(1)
    Instrument.histogram("t_times", "A histogram.", [1])()(1)
    Instrument.gauge("t_times_count", "A gauge.")().set(7)
    for (const format of ["text", "openmetrics"] as const) {
      const lines = Prometheus.render({ format }).split("\n").filter((line) => line !== "")
      const names = lines.filter((line) => !line.startsWith("# HELP")).map((line) => line.replace(/ \S+$/u, ""))
      assert.strictEqual(new Set(names).size, names.length)
    }
    assert.include(linesOf("t_times_count_gauge"), "t_times_count_gauge 7")
  })

  it("shows a hundred words of a frequency, and the rest as one", () => {
    const metric = Metric.frequency("t_spoken", { description: "Words." })
    for (let n = 0; n < 120; n++) Effect.runSync(Metric.update(metric, String(n)))
    Effect.runSync(Metric.update(metric, ""))
    Effect.runSync(Metric.update(metric, "other"))
    const lines = linesOf("t_spoken_total{")
    assert.lengthOf(lines, 101)
    assert.include(lines, "t_spoken_total{word=\"\"} 1")
    assert.include(lines, "t_spoken_total{word=\"other\"} 22")
  })

  it("leaves out series beyond a bound, and says how many", () => {
    const level = Instrument.gauge("t_many", "Many.")
    for (let n = 0; n < 12; n++) level({ n: String(n) }).set(1)
    assert.lengthOf(linesOf("t_many{", { maxSeries: 10 }), 10)
    assert.include(Prometheus.render({ maxSeries: 10 }), "causeway_metrics_left_out 2\n")
    assert.notInclude(Prometheus.render(), "causeway_metrics_left_out")
  })

  it("gives the same text twice, in the order of names", () => {
    const text = Prometheus.render()
    assert.strictEqual(Prometheus.render(), text)
    const families = text.split("\n").flatMap((line) => /^# TYPE (\S+)/u.exec(line)?.[1]?.replace(/_total$/u, "") ?? [])
    assert.deepStrictEqual([...families].sort((a, b) => (a < b ? -1 : 1)), families)
  })

  it("writes 500 series within five milliseconds", () => {
    const observe = Instrument.histogram("t_load_seconds", "Load.", [0.01, 0.1, 0.5, 1, 2, 5, 10])
    const count = Instrument.counter("t_load_total", "Load.")
    for (let n = 0; n < 250; n++) {
      observe({ n: String(n) })(n / 100)
      count({ n: String(n) })(1)
    }
    Prometheus.render()
    const times = Array.from({ length: 40 }, () => {
      const began = performance.now()
      Prometheus.render()
      return performance.now() - began
    })
    // Others use the machine: the best run shows what the work takes.
    assert.isBelow(Math.min(...times), 5)
  })
})

describe("Prometheus.negotiate", () => {
  it("gives the format that a client likes best", () => {
    const cases: ReadonlyArray<readonly [string | undefined, Prometheus.Format]> = [
      [undefined, "text"],
      ["", "text"],
      ["*/*", "text"],
      ["text/plain", "text"],
      ["application/openmetrics-text", "openmetrics"],
      ["application/openmetrics-text; version=1.0.0; charset=utf-8", "openmetrics"],
      ["application/openmetrics-text;version=0.0.1", "text"],
      ["application/openmetrics-text;q=0.3, text/plain;q=0.9", "text"],
      ["application/openmetrics-text;q=0", "text"],
      ["application/openmetrics-text;q=much", "text"],
      [later, "openmetrics"],
      [",;,;=,".repeat(100_000), "text"]
    ]
    for (const [accept, format] of cases) assert.strictEqual(Prometheus.negotiate(accept), format, accept)
  })
})
