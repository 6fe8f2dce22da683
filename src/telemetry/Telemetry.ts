/**
 * The names of every span, attribute, metric and label that this library gives
 * out, so that dashboards and alerts have one place to look them up.
 *
 * @since 0.1.0
 */

/**
 * Names of spans.
 *
 * @since 0.1.0
 * @category spans
 */
export const Span = {
  /** A call to a chain of models, all tries together. */
  llmCall: "llm.call",
  /** One try with one model. */
  llmAttempt: "llm.attempt",
  /** A call of a tool; its name stands behind, after a space, where it is known. */
  toolCall: "tools/call"
} as const

/**
 * Attributes of spans. Those that begin with `gen_ai`, `error` and `http` are
 * OpenTelemetry's, of its conventions for generative AI and MCP as of 2026, as are
 * those that begin with `mcp` and `jsonrpc`; those that begin with `llm` or
 * `causeway` are ours. None holds a prompt, an argument, an answer or a key.
 *
 * @since 0.1.0
 * @category attributes
 */
export const Attribute = {
  /** `chat` for all that a chain does, `execute_tool` for a call of a tool. */
  operation: "gen_ai.operation.name",
  /** In the conventions' spelling, see `genAiProvider`. */
  provider: "gen_ai.provider.name",
  requestModel: "gen_ai.request.model",
  responseModel: "gen_ai.response.model",
  /** `text` or `json`. */
  outputType: "gen_ai.output.type",
  /** Only set when true. */
  isStream: "gen_ai.request.stream",
  maxTokens: "gen_ai.request.max_tokens",
  temperature: "gen_ai.request.temperature",
  topP: "gen_ai.request.top_p",
  seed: "gen_ai.request.seed",
  inputTokens: "gen_ai.usage.input_tokens",
  outputTokens: "gen_ai.usage.output_tokens",
  cachedInputTokens: "gen_ai.usage.cache_read.input_tokens",
  cacheWriteTokens: "gen_ai.usage.cache_creation.input_tokens",
  /** The reason of the `LlmError`; `Interrupted` or `Defect` where there is none. */
  errorType: "error.type",
  status: "http.response.status_code",
  chain: "llm.chain",
  task: "llm.task",
  /** The target's id. */
  target: "llm.target",
  /** How many tries a call took, those that were skipped included. */
  attempts: "llm.attempts",
  /** `answered`, `failed` or `interrupted`. */
  outcome: "llm.attempt.outcome",
  /** Why a try was made that was not the first of its call. */
  cause: "llm.attempt.cause",
  /** Where a try stood when it failed. */
  phase: "llm.attempt.phase",
  /** How long the provider asked to be left alone. */
  retryAfterMs: "llm.retry_after.ms",
  /** How long the model, or all that use its key, is left alone after a failure. */
  cooldownMs: "llm.cooldown.ms",
  costUsd: "llm.cost.usd",
  /** `exact`, `estimated` or `unknown`. */
  costCertainty: "llm.cost.certainty",
  /** What was wrong with an answer. */
  degradedReason: "llm.degraded.reason",
  /** Only set when true. */
  isCached: "llm.cached",
  mcpMethod: "mcp.method.name",
  tool: "gen_ai.tool.name",
  requestId: "jsonrpc.request.id",
  /** As metrics have it: `answered`, `failed`, `error`, `paused` or `interrupted`. */
  toolOutcome: "causeway.outcome",
  confidence: "causeway.confidence",
  /** Only set when true: the answer was kept or shared. */
  isKept: "causeway.cached",
  /** Only set when true. */
  isDegraded: "causeway.degraded",
  /** Only set when true. */
  isTask: "causeway.task"
} as const

/**
 * Labels of metrics. What stands in them comes from configuration and from fixed
 * lists, never from a request or an answer, so that their number is bounded.
 *
 * @since 0.1.0
 * @category labels
 */
export const Label = {
  chain: "chain",
  target: "target",
  provider: "provider",
  model: "model",
  outcome: "outcome",
  reason: "reason",
  from: "from",
  to: "to",
  certainty: "certainty",
  tool: "tool",
  code: "code",
  step: "step",
  doing: "doing",
  status: "status",
  source: "source",
  kind: "kind",
  method: "method",
  /** `50`, `99` or `100`; `quantile` is kept for summaries. */
  percentile: "percentile",
  version: "version"
} as const

/**
 * Stands in a label for what has no name of its own, or one name too many.
 *
 * @since 0.1.0
 * @category labels
 */
export const other = "other"

/**
 * Names of metrics, in the manner of Prometheus: times in seconds, shares from 0
 * to 1.
 *
 * @since 0.1.0
 * @category metrics
 */
export const Metric = {
  /** Counts calls by chain, outcome and reason. */
  llmCalls: "causeway_llm_calls_total",
  /** A histogram of the time calls took, by chain and outcome. */
  llmCallDuration: "causeway_llm_call_duration_seconds",
  /** A histogram of the part of that time that was not spent waiting for a provider, by chain. */
  llmOverhead: "causeway_llm_overhead_seconds",
  /** Counts what calls cost, all tries together, by chain and certainty. */
  llmCost: "causeway_llm_cost_usd_total",
  /** Counts tries by chain, target, outcome and reason. */
  llmAttempts: "causeway_llm_attempts_total",
  /** A histogram of the time tries took, by chain, target and outcome. */
  llmAttemptDuration: "causeway_llm_attempt_duration_seconds",
  /** A histogram of the time to the first text, by chain and target. */
  llmTimeToFirstToken: "causeway_llm_time_to_first_token_seconds",
  /** Counts what tries cost, by chain, target and certainty. */
  llmAttemptCost: "causeway_llm_attempt_cost_usd_total",
  /** Counts how often the next model was asked, by chain, from, to and reason. */
  llmFailovers: "causeway_llm_failovers_total",
  /** Counts second tries beside a first one by outcome: won, lost, denied. */
  llmHedges: "causeway_llm_hedges_total",
  /** 0 while the breaker is closed, 1 while it is half open, 2 while it is open; by target. */
  llmBreakerState: "causeway_llm_breaker_state",
  /** The share that is left of the scarcer limit; by target. */
  llmHeadroom: "causeway_llm_headroom_ratio",
  /** Calls under way; by target. */
  llmInFlight: "causeway_llm_in_flight",
  /** Retries that are within the budget; by target. */
  llmRetryBudget: "causeway_llm_retry_budget_left",
  /** US dollars that may still be spent in this period, all tenants together; by chain. */
  llmBudgetLeft: "causeway_llm_budget_left_usd",
  /** US dollars that may be spent in a period, all tenants together; by chain, where the budget tells. */
  llmBudget: "causeway_llm_budget_usd",
  /** Counts calls of tools by tool, outcome and code; tools that do not exist are `other`. */
  toolCalls: "causeway_tool_calls_total",
  /** A histogram of the time calls took that are no tasks, by tool and outcome. */
  toolCallDuration: "causeway_tool_call_duration_seconds",
  /** Calls under way, tasks included; by tool. */
  toolCallsInFlight: "causeway_tool_calls_in_flight",
  /** A histogram of how sure answers were; by tool. */
  toolConfidence: "causeway_tool_confidence",
  /** Counts what the parts of policies did, by tool, step and doing. */
  policyEvents: "causeway_policy_events_total",
  /** A histogram of the time calls waited for a place; by tool. */
  queueWait: "causeway_queue_wait_seconds",
  /** Counts requests over HTTP that were refused; by status. */
  httpRefusals: "causeway_http_refusals_total",
  /** Counts requests over HTTP that were answered 503; by reason: overload, full, stopping or other. */
  shed: "causeway_http_shed_total",
  /** Counts requests that were refused for who asked; by reason. */
  authRefusals: "causeway_auth_refusals_total",
  /** 1 while a source answers, 0 while it does not; by source and kind. */
  sourceUp: "causeway_source_up",
  /** A histogram of the time sources took, by source, method and outcome. */
  sourceDuration: "causeway_source_duration_seconds",
  /** How late the event loop was in the last interval; by percentile. */
  eventLoopDelay: "causeway_event_loop_delay_seconds",
  /** 0 while all is well, up to 3 when every call is turned away. */
  overloadLevel: "causeway_overload_level",
  /** Counts events that the audit lost. */
  auditDropped: "causeway_audit_dropped_total",
  /** Always 1; by version. */
  buildInfo: "causeway_build_info"
} as const

/**
 * Names of metrics that other programs give out too, under the same names.
 *
 * @since 0.1.0
 * @category metrics
 */
export const ProcessMetric = {
  residentMemory: "process_resident_memory_bytes",
  cpu: "process_cpu_seconds_total",
  startTime: "process_start_time_seconds",
  /** Only where the system tells. */
  openFiles: "process_open_fds",
  heapUsed: "nodejs_heap_size_used_bytes",
  heapTotal: "nodejs_heap_size_total_bytes",
  external: "nodejs_external_memory_bytes"
} as const

/**
 * Upper ends, in seconds, for the time of calls and first texts: close together
 * up to two seconds, where a 99th percentile is to be told from its goal.
 *
 * @since 0.1.0
 * @category boundaries
 */
export const callSeconds: ReadonlyArray<number> = [
  ...[0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.2, 1.4, 1.6, 1.8, 2, 2.2, 2.5],
  ...[3, 4, 5, 7.5, 10, 15, 20, 30, 45, 60, 90, 120]
]

/**
 * Upper ends, in seconds, for the time a chain adds: from ten microseconds to
 * one second.
 *
 * @since 0.1.0
 * @category boundaries
 */
export const overheadSeconds: ReadonlyArray<number> = [
  ...[0.000_01, 0.000_02, 0.000_04, 0.000_06, 0.000_08, 0.000_1, 0.000_15, 0.000_2, 0.000_3, 0.000_5],
  ...[0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1]
]

/**
 * Upper ends, in seconds, for the time a call waits for a place.
 *
 * @since 0.1.0
 * @category boundaries
 */
export const waitSeconds: ReadonlyArray<number> = [
  ...[0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]
]

/**
 * Upper ends, in seconds, for the time a source takes: from a tenth of a
 * millisecond to ten seconds.
 *
 * @since 0.1.0
 * @category boundaries
 */
export const sourceSeconds: ReadonlyArray<number> = [
  ...[0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10]
]

/**
 * Upper ends for confidences.
 *
 * @since 0.1.0
 * @category boundaries
 */
export const confidences: ReadonlyArray<number> = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1]

const spellings: ReadonlyMap<string, string> = new Map([
  ["mistral", "mistral_ai"],
  ["gemini", "gcp.gemini"],
  ["xai", "x_ai"],
  ["bedrock", "aws.bedrock"]
])

/**
 * A provider's name as the conventions spell it, where they know it.
 *
 * @since 0.1.0
 * @category combinators
 */
export const genAiProvider = (provider: string): string => spellings.get(provider) ?? provider
