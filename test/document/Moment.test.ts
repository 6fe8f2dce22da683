import { assert, describe, it } from "@effect/vitest"
import * as Chunker from "causeway-mcp/document/Chunker"
import * as Moment from "causeway-mcp/document/Moment"

describe("Moment.millis", () => {
  it("reads dates and times, in UTC unless they say otherwise", () => {
    for (
      const [text, expected] of [
        ["2026", "2026-01-01T00:00:00.000Z"],
        ["2026-11", "2026-11-01T00:00:00.000Z"],
        ["2026-11-22", "2026-11-22T00:00:00.000Z"],
        ["2026-11-22T09:30", "2026-11-22T09:30:00.000Z"],
        ["2026-11-22T09:30:00.5+01:00", "2026-11-22T08:30:00.500Z"],
        ["0001-01-01", "0001-01-01T00:00:00.000Z"],
        ["9999-12-31T23:59:59.999Z", "9999-12-31T23:59:59.999Z"]
      ] as const
    ) assert.strictEqual(Moment.normal(text), expected, text)
  })

  it("takes no day for one that no calendar has, whatever the parser makes of it", () => {
    for (const year of ["0000", "0001", "0012", "0031", "2026", "9999"]) {
      for (const month of ["00", "01", "02", "12", "13", "99"]) {
        for (const day of ["00", "30", "31", "32", "50", "99"]) {
          if ((month === "01" || month === "12") && (day === "30" || day === "31") && year !== "0000") continue
          for (const time of ["", "T00:00", "T10:00Z", "t10:00z", "T10:00+0530"]) {
            const text = `${year}-${month}-${day}${time}`
            assert.isUndefined(Moment.millis(text), text)
          }
        }
      }
    }
  })

  it("lets a document with such a date be refused, not fail", () => {
    assert.match(Chunker.check({ id: "a", text: "b", publishedAt: "0001-01-32" }) ?? "", /publishedAt/)
  })
})
