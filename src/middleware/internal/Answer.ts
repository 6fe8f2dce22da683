/**
 * Makes of what a handler gave what the client gets: encoded, as sure as it has
 * to be, and no larger than it may be.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import type { MinConfidence } from "../../policy/Policy.js"
import { McpError } from "../../protocol/McpError.js"
import type { ContentBlock, RequestId, ToolResult } from "../../protocol/McpSchema.js"
import * as Evidence from "../../tool/Evidence.js"
import type * as Tool from "../../tool/Tool.js"
import * as ToolCodec from "../../tool/ToolCodec.js"
import type { Body } from "../../tool/ToolError.js"
import { ToolError } from "../../tool/ToolError.js"
import * as Cut from "./Cut.js"
import * as Incident from "./Incident.js"
import * as JsonSize from "./JsonSize.js"
import type { Answered, Ending, Visit } from "./Visit.js"
import { Failed, refuse } from "./Visit.js"
import * as Written from "./Written.js"

/**
 * @since 0.1.0
 * @category configuration
 */
export interface Options {
  readonly tool: Tool.Any
  readonly codec: ToolCodec.ToolCodec
  readonly minConfidence: MinConfidence | undefined
  /** Bytes of an answer. */
  readonly maxResult: number
}

/** What the note about a cut may take. */
const noteBytes = 600

const requestIdOf = ({ request }: Visit): RequestId => request.requestId

const percent = (confidence: number): string => String(Math.round(confidence * 100) / 100)

/**
 * Whether an answer is as sure as it has to be.
 *
 * @since 0.1.0
 * @category guards
 */
export const isSure = (confidence: number | undefined, gate: MinConfidence | undefined): boolean =>
  gate === undefined || confidence === undefined || confidence >= gate.least

const notSure = (tool: Tool.Any, confidence: number, least: number): Exit.Exit<never, Failed> =>
  refuse(
    new ToolError({
      code: "degraded_only",
      message: `${tool.name} has an answer with a confidence of ${percent(confidence)}, and gives none below ${
        percent(least)
      }. Ask more precisely, or ask another tool.`,
      details: { confidence, least }
    })
  )

const tooLarge = (tool: Tool.Any, bytes: number, most: number): Exit.Exit<never, Failed> =>
  refuse(
    new ToolError({
      code: "degraded_only",
      message: `The answer of ${tool.name} has ${JsonSize.format(bytes)}; ${
        JsonSize.format(most)
      } can be given. Ask for less: fewer items, or a narrower question.`,
      details: { bytes, most }
    })
  )

const blockBytes = (content: ReadonlyArray<ContentBlock>): number =>
  content.reduce((sum, block) => sum + Buffer.byteLength(JSON.stringify(block)), 0)

/** How many bytes a result has, if over `most`; the text that repeats its structured content does not count. */
const bytesOver = ({ content, structuredJson }: ToolResult, most: number): number | undefined => {
  const [first, ...others] = content
  const isRepeated = structuredJson !== undefined && first?.type === "text" && first.text === structuredJson
  if (isRepeated && others.length === 0) return JsonSize.textOver(structuredJson, most)
  const bytes = blockBytes(isRepeated ? others : content) + Buffer.byteLength(structuredJson ?? "")
  return bytes > most ? bytes : undefined
}

/** A smaller answer that still fits what the tool declares; `undefined` when there is none. */
const smaller = (
  { codec, maxResult, tool }: Options,
  answer: Answered,
  bytes: number
): Answered | undefined => {
  const { content, structuredJson } = answer.result
  if (structuredJson === undefined) return undefined
  const excess = bytes - maxResult + noteBytes
  if (tool.form === "evidence") {
    const envelope = Written.envelope(structuredJson)
    const missing = Cut.cut(envelope.data, "data", excess)
    if (missing === undefined) return undefined
    Written.degrade(envelope, Cut.describe(missing))
    return codec.fits(envelope) ? Written.answered(envelope, answer.isCached, answer.value) : undefined
  }
  // Content of its own may say what was cut, so both would have to be known.
  if (content.length !== 1 || content[0]?.type !== "text" || content[0].text !== structuredJson) return undefined
  const structured: unknown = JSON.parse(structuredJson)
  const missing = Cut.cut(structured, "", excess)
  if (missing === undefined || !codec.fits(structured)) return undefined
  const json = JSON.stringify(structured)
  return {
    ...answer,
    isDegraded: true,
    result: {
      ...answer.result,
      structuredJson: json,
      content: [{ type: "text", text: json }, { type: "text", text: `Note: ${Cut.describe(missing)}.` }]
    }
  }
}

/**
 * Ends runs of one tool's handler.
 *
 * @since 0.1.0
 * @category models
 */
export interface Answering {
  /** What the client is told of a run that ended so; at once, unless there is something to log. */
  readonly conclude: (visit: Visit, exit: Exit.Exit<unknown, unknown>) => Ending
}

/**
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: Options): Answering => {
  const { codec, maxResult, minConfidence, tool } = options

  const succeed = (visit: Visit, given: unknown): Ending => {
    let value = given
    if (minConfidence !== undefined && Evidence.isEvidence(given) && !isSure(given.confidence, minConfidence)) {
      const { least, otherwise } = minConfidence
      visit.observation?.step?.("minConfidence", otherwise === "fail" ? "refused" : "marked")
      if (otherwise === "fail") return notSure(tool, given.confidence, least)
      value = Evidence.degrade(
        given,
        { reason: `less sure than ${percent(least)}, which is asked for`, missing: [] },
        1
      )
    }
    const encoded = codec.encode(value)
    if (Either.isLeft(encoded)) {
      return Incident.report(
        tool.name,
        "answered what its own schema refuses",
        Cause.die(encoded.left),
        requestIdOf(visit)
      )
    }
    const evidence = tool.form === "evidence" && Evidence.isEvidence(value) ? value : undefined
    const answer: Answered = {
      _tag: "Answered",
      result: encoded.right,
      value: given,
      confidence: evidence?.confidence,
      sources: evidence?.sources,
      isDegraded: evidence?.degraded !== undefined,
      isCached: false
    }
    if (maxResult === Infinity) return Exit.succeed(answer)
    const bytes = bytesOver(answer.result, maxResult)
    if (bytes === undefined) return Exit.succeed(answer)
    visit.observation?.step?.("sizeLimit", "cut")
    const cut = smaller(options, answer, bytes)
    return cut === undefined || bytesOver(cut.result, maxResult) !== undefined
      ? tooLarge(tool, bytes, maxResult)
      : Exit.succeed(cut)
  }

  const fail = (visit: Visit, cause: Cause.Cause<unknown>): Ending => {
    const failure = Cause.failureOption(cause)
    if (Option.isNone(failure)) {
      // When the peer cancels, this line is not reached: an interruption seen here came from inside the handler.
      return Incident.report(
        tool.name,
        Cause.isInterruptedOnly(cause) ? "interrupted itself" : "hit a defect",
        cause,
        requestIdOf(visit)
      )
    }
    const error = failure.value
    if (error instanceof McpError || error instanceof Failed) return Exit.fail(error)
    const encoded = codec.encodeFailure(error)
    if (encoded === undefined) {
      return Incident.report(tool.name, "failed with an error it did not declare", cause, requestIdOf(visit))
    }
    // `ToolCodec` puts the body of every failure there.
    const told = Exit.fail(new Failed(encoded._meta?.[ToolCodec.errorMetaKey] as Body))
    return error instanceof ToolError && error.cause !== undefined
      ? Effect.zipRight(Effect.logDebug(`Tool ${tool.name} failed`, cause), told)
      : told
  }

  return {
    conclude: (visit, exit) => {
      try {
        return Exit.isSuccess(exit) ? succeed(visit, exit.value) : fail(visit, exit.cause)
      } catch (defect) {
        // JSON has no form for some values that an open schema lets through: a bigint, an object that holds itself.
        return Incident.report(tool.name, "answered what cannot be written", Cause.die(defect), requestIdOf(visit))
      }
    }
  }
}
