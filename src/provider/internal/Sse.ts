/**
 * Reads server-sent events from pieces of bytes as they come, wherever the
 * network cut them.
 *
 * @since 0.1.0
 */

/**
 * A reader of one stream. It keeps state between calls and is for one fiber.
 *
 * @since 0.1.0
 * @category models
 */
export interface Reader {
  /** The data of every event completed by these bytes; a comment completes none. */
  readonly push: (bytes: Uint8Array) => ReadonlyArray<string>
  /** The data of an event that the end of the stream left without its blank line. */
  readonly end: () => ReadonlyArray<string>
}

/**
 * An event larger than this is no chat completion chunk, in UTF-16 units.
 *
 * @since 0.1.0
 * @category configuration
 */
export const maxEventLength = 1_048_576

/**
 * Makes a reader. Lines end with CR, LF or CRLF, also when a pair is split
 * between two pieces; a character split between two pieces is put together; a
 * leading byte order mark is dropped. Of the fields only `data` counts: several
 * in one event are joined with a line feed. Throws `RangeError` when one event
 * grows beyond `maxEventLength`, and `TypeError` on bytes that are not UTF-8.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (): Reader => {
  const decoder = new TextDecoder("utf-8", { fatal: true })
  let line: Array<string> = []
  let lineLength = 0
  let data: Array<string> = []
  let dataLength = 0
  let endedWithCr = false

  const bound = (length: number): void => {
    if (length > maxEventLength) throw new RangeError("a server-sent event is too large")
  }

  const keep = (text: string): void => {
    if (text === "") return
    lineLength += text.length
    bound(lineLength + dataLength)
    line.push(text)
  }

  const takeLine = (found: Array<string>): void => {
    const text = line.length === 1 ? line[0] ?? "" : line.join("")
    line = []
    lineLength = 0
    if (text === "") {
      if (data.length > 0) found.push(data.join("\n"))
      data = []
      dataLength = 0
    } else if (text === "data") data.push("")
    else if (text.startsWith("data:")) {
      const value = text.charCodeAt(5) === 32 ? text.slice(6) : text.slice(5)
      data.push(value)
      dataLength += value.length + 1
    }
  }

  const feed = (text: string): ReadonlyArray<string> => {
    const found: Array<string> = []
    let start = endedWithCr && text.charCodeAt(0) === 10 ? 1 : 0
    if (text !== "") endedWithCr = false
    for (let at = start; at < text.length; at++) {
      const unit = text.charCodeAt(at)
      if (unit !== 10 && unit !== 13) continue
      keep(text.slice(start, at))
      takeLine(found)
      if (unit === 13) {
        if (at + 1 === text.length) endedWithCr = true
        else if (text.charCodeAt(at + 1) === 10) at++
      }
      start = at + 1
    }
    keep(text.slice(start))
    return found
  }

  return {
    push: (bytes) => feed(decoder.decode(bytes, { stream: true })),
    end: () => {
      const found = [...feed(decoder.decode())]
      takeLine(found)
      if (data.length > 0) found.push(data.join("\n"))
      data = []
      return found
    }
  }
}
