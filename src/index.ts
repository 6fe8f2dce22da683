/**
 * The front door: every module that needs no optional dependency, by its name.
 *
 * @since 0.1.0
 */

/**
 * Metrics whose series are found once and then cost as little as a field: a label
 * set is bound where it becomes known, and what comes of it is called.
 *
 * @since 0.1.0
 */
export * as Instrument from "./telemetry/Instrument.js"

/**
 * Writes values on one line that nothing in them can break or colour: JSON, in
 * which every character that a terminal or a log reader may act on is escaped.
 *
 * @since 0.1.0
 */
export * as JsonLine from "./telemetry/JsonLine.js"

/**
 * Logs to standard error, one JSON object on one line for each event, which
 * nothing that is logged can break.
 *
 * @since 0.1.0
 */
export * as JsonLogger from "./telemetry/JsonLogger.js"

/**
 * Measures a service from outside: how long each of its methods took, and what
 * came of it.
 *
 * @since 0.1.0
 */
export * as Metered from "./telemetry/Metered.js"

/**
 * Writes what Effect's metrics stand at as Prometheus reads it: the text format
 * 0.0.4, or OpenMetrics 1.0.0 for who prefers that.
 *
 * @since 0.1.0
 */
export * as Prometheus from "./telemetry/Prometheus.js"

/**
 * Measures the process that the server runs in: memory, processor time, open
 * files, and how late its event loop is.
 *
 * @since 0.1.0
 */
export * as RuntimeMetrics from "./telemetry/RuntimeMetrics.js"

/**
 * The names of every span, attribute, metric and label that this library gives
 * out, so that dashboards and alerts have one place to look them up.
 *
 * @since 0.1.0
 */
export * as Telemetry from "./telemetry/Telemetry.js"

/**
 * Reads and writes a trace's context as the W3C has it: `traceparent` and
 * `tracestate`. What breaks a rule counts as absent.
 *
 * @since 0.1.0
 */
export * as TraceContext from "./telemetry/TraceContext.js"

/**
 * A message in, a reply out: the protocol as a function of data and handlers.
 *
 * @since 0.1.0
 */
export * as Dispatcher from "./protocol/Dispatcher.js"

/**
 * The questions a server must be able to answer: the port between the protocol
 * and everything above it.
 *
 * @since 0.1.0
 */
export * as Handlers from "./protocol/Handlers.js"

/**
 * Takes a copy of a JSON value of unknown size, or says why it is too much.
 *
 * @since 0.1.0
 */
export * as JsonMeasure from "./protocol/JsonMeasure.js"

/**
 * The JSON Schema 2020-12 of an Effect Schema, in the plain form that MCP
 * clients and model providers accept.
 *
 * @since 0.1.0
 */
export * as JsonSchema from "./protocol/JsonSchema.js"

/**
 * Checks JSON against a JSON Schema that came from outside, within bounds: no
 * code is generated, nothing is fetched, and no schema can make it run for long.
 *
 * @since 0.1.0
 */
export * as JsonValidator from "./protocol/JsonValidator.js"

/**
 * The protocol's own errors: the question was wrong, whatever the tool.
 *
 * @since 0.1.0
 */
export * as McpError from "./protocol/McpError.js"

/**
 * What MCP talks about, neutral to any revision: tools, resources, prompts,
 * their requests and their results.
 *
 * @since 0.1.0
 */
export * as McpSchema from "./protocol/McpSchema.js"

/**
 * Knows callers by keys that the operator hands out, of which only hashes are
 * kept.
 *
 * @since 0.1.0
 */
export * as ApiKeys from "./auth/ApiKeys.js"

/**
 * Is told of every request that was refused for who asked, or for what its
 * credential may do.
 *
 * @since 0.1.0
 */
export * as AuthObserver from "./auth/AuthObserver.js"

/**
 * Tells who asks from what a request carries, or refuses it.
 *
 * @since 0.1.0
 */
export * as Authenticator from "./auth/Authenticator.js"

/**
 * Knows callers by tokens that only their authorization server can read: asks it
 * by RFC 7662.
 *
 * @since 0.1.0
 */
export * as Introspection from "./auth/Introspection.js"

/**
 * Knows callers by the access tokens of an authorization server: the server as
 * an OAuth 2.1 resource server.
 *
 * @since 0.1.0
 */
export * as JwtAuthenticator from "./auth/JwtAuthenticator.js"

/**
 * Who is asking: the identity, the tenant and the scopes that one request
 * carries, whichever way they were proved.
 *
 * @since 0.1.0
 */
export * as Principal from "./auth/Principal.js"

/**
 * Seals text that travels through a client and back, so that the client can
 * neither read nor change it, nor use it for anything else.
 *
 * @since 0.1.0
 */
export * as Sealer from "./auth/Sealer.js"

/**
 * Runs an effect under the part of a policy that concerns time and trying again.
 *
 * @since 0.1.0
 */
export * as Attempts from "./policy/Attempts.js"

/**
 * Named, bounded schedules that say when to try again.
 *
 * @since 0.1.0
 */
export * as Backoff from "./policy/Backoff.js"

/**
 * Lets so many calls run at once, and the others wait in turn, caller by caller.
 *
 * @since 0.1.0
 */
export * as Bulkhead from "./policy/Bulkhead.js"

/**
 * Keeps calls away from what keeps failing, and lets one through now and then to
 * see whether it is well again.
 *
 * @since 0.1.0
 */
export * as CircuitBreaker from "./policy/CircuitBreaker.js"

/**
 * Lets equal calls that come at the same time share one run, in which no caller
 * can harm another by leaving.
 *
 * @since 0.1.0
 */
export * as Coalescer from "./policy/Coalescer.js"

/**
 * Ends what takes too long, with one timer for all that is under way: a timer
 * and a race of its own for each call would cost more than most calls.
 *
 * @since 0.1.0
 */
export * as Deadline from "./policy/Deadline.js"

/**
 * Remembers which calls were made and what they were answered, so that one that
 * is sent again is not made again.
 *
 * @since 0.1.0
 */
export * as IdempotencyStore from "./policy/IdempotencyStore.js"

/**
 * Watches whether the process can keep up, and says which calls to turn away
 * when it cannot.
 *
 * @since 0.1.0
 */
export * as Overload from "./policy/Overload.js"

/**
 * What is asked of a call beside its answer, as one plain value: how long it may
 * take, whether it is tried again, how often it may be made, what is kept of it
 * and what the caller gets when it fails.
 *
 * @since 0.1.0
 */
export * as Policy from "./policy/Policy.js"

/**
 * Counts what callers take from shared buckets, in this process or for several
 * instances at once.
 *
 * @since 0.1.0
 */
export * as RateLimiter from "./policy/RateLimiter.js"

/**
 * Keeps answers for calls that ask the same again.
 *
 * @since 0.1.0
 */
export * as ResultCache from "./policy/ResultCache.js"

/**
 * Bounds how many calls may be made again, as a share of those made in the first
 * place, so that retries cannot multiply an outage.
 *
 * @since 0.1.0
 */
export * as RetryBudget from "./policy/RetryBudget.js"

/**
 * Says until when an answer is of use to whoever waits for it, so that all that
 * is done on the way can end in time. It can be shortened on the way, never
 * prolonged.
 *
 * @since 0.1.0
 */
export * as TimeLimit from "./policy/TimeLimit.js"

/**
 * Counts what may be taken per time: a bucket that fills by itself, from which
 * more than there is can be settled afterwards.
 *
 * @since 0.1.0
 */
export * as TokenBucket from "./policy/TokenBucket.js"

/**
 * Asks the user, in the middle of a call: a form to fill in, a link to open; and
 * keeps what was done before the question from being done twice.
 *
 * @since 0.1.0
 */
export * as Ask from "./ask/Ask.js"

/**
 * What one call knows of its questions to the client: which were answered, and
 * what was computed before them. A call that lacks an answer ends, and is run
 * again from its start when the answer has come.
 *
 * @since 0.1.0
 */
export * as Asking from "./ask/Asking.js"

/**
 * Two questions that revision 2026-07-28 still has and advises against: to the
 * client's model, and for the folders it works in. They work with every client
 * that declares them; for new servers prefer a model and arguments of your own.
 *
 * @since 0.1.0
 */
export * as Deprecated from "./ask/Deprecated.js"

/**
 * Brings a client's answer to the call that waits for it, whichever instance
 * the answer arrives at.
 *
 * @since 0.1.0
 */
export * as PendingAsks from "./ask/PendingAsks.js"

/**
 * Tells whoever listens that a list or a resource changed: the servers of this
 * process, or of all instances.
 *
 * @since 0.1.0
 */
export * as Changes from "./change/Changes.js"

/**
 * Keeps the calls that became tasks, so that any instance can answer for them
 * and a restart loses no result, behind one contract that memory and Postgres
 * both honour.
 *
 * @since 0.1.0
 */
export * as TaskStore from "./task/TaskStore.js"

/**
 * Joins the texts of many callers into the batches that a remote model is asked
 * in.
 *
 * @since 0.1.0
 */
export * as BatchingEmbedder from "./embedding/BatchingEmbedder.js"

/**
 * Remembers the vectors of texts by what they say, so that the same text is not
 * sent to a remote model twice.
 *
 * @since 0.1.0
 */
export * as CachingEmbedder from "./embedding/CachingEmbedder.js"

/**
 * Turns text into vectors, behind one contract that the embedded hash embedder
 * and remote models both honour.
 *
 * @since 0.1.0
 */
export * as Embedder from "./embedding/Embedder.js"

/**
 * Vectors from spelling alone: words and their five-letter pieces, hashed into
 * 384 dimensions. Needs no model, no network and no corpus.
 *
 * @since 0.1.0
 */
export * as HashEmbedder from "./embedding/HashEmbedder.js"

/**
 * Vectors from spelling and from the company words keep: 284 hashed dimensions
 * beside 100 from a table of word vectors, which is a file of this package.
 *
 * @since 0.1.0
 */
export * as SifEmbedder from "./embedding/SifEmbedder.js"

/**
 * Keeps long runs of combining marks from taking quadratic time when a text is
 * normalised.
 *
 * @since 0.1.0
 */
export * as StreamSafe from "./embedding/StreamSafe.js"

/**
 * Remembers how the last call of an embedder went, so that its health is known
 * without paying for questions.
 *
 * @since 0.1.0
 */
export * as WatchedEmbedder from "./embedding/WatchedEmbedder.js"

/**
 * Keeps what each user did of late, behind one contract that memory and Redis
 * both honour.
 *
 * @since 0.1.0
 */
export * as SessionStore from "./session/SessionStore.js"

/**
 * What the server depends on, whether it answers, and since when.
 *
 * @since 0.1.0
 */
export * as Health from "./health/Health.js"

/**
 * Where a server stands in its life, for whoever must know before it stops:
 * load balancers, and what still begins work.
 *
 * @since 0.1.0
 */
export * as Lifecycle from "./health/Lifecycle.js"

/**
 * Bounds what may be spent on models, in all and per tenant: reserved before a
 * call, settled after it, so that calls at the same time cannot overspend.
 *
 * @since 0.1.0
 */
export * as Budget from "./llm/Budget.js"

/**
 * A model that answers an equal question from what it answered before.
 *
 * @since 0.1.0
 */
export * as CachingLlm from "./llm/CachingLlm.js"

/**
 * How a chain treats a call: its time, its tries, what counts as an answer; each
 * part a value that can be replaced by itself.
 *
 * @since 0.1.0
 */
export * as ChainPolicy from "./llm/ChainPolicy.js"

/**
 * The words of a conversation with a model: messages, the passages it may rely
 * on, what came back and what it cost in tokens.
 *
 * @since 0.1.0
 */
export * as Chat from "./llm/Chat.js"

/**
 * Judges an answer that can be read: whether it is one at all. A check is a
 * value; those a chain uses can be replaced one by one.
 *
 * @since 0.1.0
 */
export * as Check from "./llm/Check.js"

/**
 * A model that is asked once when several callers ask the same at the same time.
 *
 * @since 0.1.0
 */
export * as CoalescingLlm from "./llm/CoalescingLlm.js"

/**
 * Asks a model to correct its own JSON, by what is wrong and where.
 *
 * @since 0.1.0
 */
export * as Correction from "./llm/Correction.js"

/**
 * What an error of a model means for the model and for the call: whether to ask
 * the next, whether to ask again, whom to leave alone for how long.
 *
 * @since 0.1.0
 */
export * as Decision from "./llm/Decision.js"

/**
 * Finds the JSON value in what a model wrote around it (a code fence, a sentence
 * before or after, a byte order mark), and mends what is nearly JSON.
 *
 * @since 0.1.0
 */
export * as JsonText from "./llm/JsonText.js"

/**
 * Holds calls to what a provider allows: requests and tokens per minute, calls
 * at once. A place is reserved before a call and settled after it.
 *
 * @since 0.1.0
 */
export * as Limits from "./llm/Limits.js"

/**
 * Asks a language model, behind one contract that every provider and every
 * chain of providers honours.
 *
 * @since 0.1.0
 */
export * as Llm from "./llm/Llm.js"

/**
 * Makes one model of several that keeps answering while some of them fail, are
 * slow, ask to be left alone or answer badly; within one deadline, and with the
 * trail of what was tried.
 *
 * @since 0.1.0
 */
export * as LlmChain from "./llm/LlmChain.js"

/**
 * Why a model gave no answer. The reason's tag is the decision: whether the
 * same provider may be asked again, and whether the next one should be.
 *
 * @since 0.1.0
 */
export * as LlmError from "./llm/LlmError.js"

/**
 * A model that passes each request to the model, or chain, for its kind of work.
 *
 * @since 0.1.0
 */
export * as LlmRouter from "./llm/LlmRouter.js"

/**
 * What models cost, as versioned data, and what a call cost by it.
 *
 * @since 0.1.0
 */
export * as Price from "./llm/Price.js"

/**
 * The price table that is built in, as data.
 *
 * @since 0.1.0
 */
export * as PriceTable from "./llm/PriceTable.js"

/**
 * Turns a request with passages into plain messages, and finds in an answer
 * which passages it cites.
 *
 * @since 0.1.0
 */
export * as Prompt from "./llm/Prompt.js"

/**
 * Keeps answers for equal questions: the contract, one that lives in memory, and
 * the key that tells questions apart.
 *
 * @since 0.1.0
 */
export * as ResponseCache from "./llm/ResponseCache.js"

/**
 * A model as a chain sees it: with its limits, its price, the state of its
 * breaker and how fast it has been. One value may stand in several chains, which
 * then share all that.
 *
 * @since 0.1.0
 */
export * as Target from "./llm/Target.js"

/**
 * Models that can stand in for each other, and the way to choose among them.
 *
 * @since 0.1.0
 */
export * as Tier from "./llm/Tier.js"

/**
 * Guesses how many tokens a text is, before any model has counted them.
 *
 * @since 0.1.0
 */
export * as TokenEstimate from "./llm/TokenEstimate.js"

/**
 * Knows after which words a full stop ends no sentence.
 *
 * @since 0.1.0
 */
export * as Abbreviation from "./document/Abbreviation.js"

/**
 * Makes a probability of what a search saw in a passage: a logistic model,
 * fitted on judged questions of one corpus with one embedder, and only claimed
 * for those.
 *
 * @since 0.1.0
 */
export * as Calibration from "./document/Calibration.js"

/**
 * Cuts a document into passages a search can find, and says which documents no
 * store takes.
 *
 * @since 0.1.0
 */
export * as Chunker from "./document/Chunker.js"

/**
 * A document as it is handed in, and a passage as it is found.
 *
 * @since 0.1.0
 */
export * as Document from "./document/Document.js"

/**
 * Keeps passages and finds them by words and by meaning, behind one contract
 * that memory and Postgres both honour.
 *
 * @since 0.1.0
 */
export * as DocumentStore from "./document/DocumentStore.js"

/**
 * Brings a stream of documents into a store, as fast as the store takes them and
 * no faster.
 *
 * @since 0.1.0
 */
export * as Ingestion from "./document/Ingestion.js"

/**
 * A document store that is opened in the background, and again until it opens,
 * so that a database that is down, or falls silent later, delays hardly anybody.
 *
 * @since 0.1.0
 */
export * as LazyDocumentStore from "./document/LazyDocumentStore.js"

/**
 * Searches a copy in this process's memory that follows another store's changes:
 * the speed of memory over what Postgres keeps.
 *
 * @since 0.1.0
 */
export * as MirrorDocumentStore from "./document/MirrorDocumentStore.js"

/**
 * Reads dates alike everywhere: ISO 8601, UTC unless it says otherwise.
 *
 * @since 0.1.0
 */
export * as Moment from "./document/Moment.js"

/**
 * Looks at the best passages again, with more care than a search can afford.
 *
 * @since 0.1.0
 */
export * as Reranker from "./document/Reranker.js"

/**
 * Asks in words: embeds the question, searches, drops what says the same twice,
 * weighs age, and says how sure each passage is.
 *
 * @since 0.1.0
 */
export * as Retriever from "./document/Retriever.js"

/**
 * The store in memory, kept in a file: it starts where the last one ended.
 *
 * @since 0.1.0
 */
export * as SnapshotDocumentStore from "./document/SnapshotDocumentStore.js"

/**
 * Picks from a passage the stretch that speaks of a query, and marks the words it
 * shares with it.
 *
 * @since 0.1.0
 */
export * as Snippet from "./document/Snippet.js"

/**
 * Cuts text into the words a search compares: one rule for what is stored and
 * for what is asked.
 *
 * @since 0.1.0
 */
export * as Tokenizer from "./document/Tokenizer.js"

/**
 * Asks Claude by Anthropic's own Messages API, every failure classified once.
 *
 * @since 0.1.0
 */
export * as AnthropicLlm from "./provider/AnthropicLlm.js"

/**
 * What each vendor's OpenAI-compatible endpoint really accepts, as data: one
 * row per vendor, chosen by table and never by a call that fails.
 *
 * @since 0.1.0
 */
export * as Capabilities from "./provider/Capabilities.js"

/**
 * The model that needs no network and no key: it quotes the passages it is
 * given, fills schemas from what a text says in so many words, and never adds
 * anything of its own.
 *
 * @since 0.1.0
 */
export * as ExtractiveLlm from "./provider/ExtractiveLlm.js"

/**
 * Has a language model judge how well passages answer a query, through whatever
 * chain of models is provided.
 *
 * @since 0.1.0
 */
export * as LlmReranker from "./provider/LlmReranker.js"

/**
 * Asks any model behind an OpenAI-compatible endpoint: Chat Completions as each
 * vendor really speaks it, every failure classified once.
 *
 * @since 0.1.0
 */
export * as OpenAiCompatible from "./provider/OpenAiCompatible.js"

/**
 * Asks any OpenAI-compatible `/embeddings` endpoint for vectors, in batches,
 * within limits, and checks what comes back.
 *
 * @since 0.1.0
 */
export * as OpenAiEmbedder from "./provider/OpenAiEmbedder.js"

/**
 * Reads from the settings which models to ask and in which order, and makes one
 * chain of them; with nothing set, the model that needs no network.
 *
 * @since 0.1.0
 */
export * as ProviderChain from "./provider/ProviderChain.js"

/**
 * The envelope of every answer: the data, how sure it is, where it came from
 * and what was missing when it was made.
 *
 * @since 0.1.0
 */
export * as Evidence from "./tool/Evidence.js"

/**
 * What one tool is: its name, what it takes, what it answers, how it may fail
 * and whether it is safe to repeat; and the handler that fulfils it.
 *
 * @since 0.1.0
 */
export * as Tool from "./tool/Tool.js"

/**
 * One call as a handler sees it: who asks, which request, by when, and where
 * progress goes.
 *
 * @since 0.1.0
 */
export * as ToolCall from "./tool/ToolCall.js"

/**
 * A tool's schemas, compiled once: its JSON Schemas, the decoder of its
 * arguments and the encoder of its answers and failures.
 *
 * @since 0.1.0
 */
export * as ToolCodec from "./tool/ToolCodec.js"

/**
 * Why a tool could not answer a right question, in words and codes the agent
 * can act on.
 *
 * @since 0.1.0
 */
export * as ToolError from "./tool/ToolError.js"

/**
 * What a tool may be called, and what a model makes of the name.
 *
 * @since 0.1.0
 */
export * as ToolName from "./tool/ToolName.js"

/**
 * The documents of a store as resources: read whole under a URI of their own,
 * and announced when they change.
 *
 * @since 0.1.0
 */
export * as DocumentResource from "./resource/DocumentResource.js"

/**
 * The regular files below one directory as resources, and nothing beside them.
 *
 * @since 0.1.0
 */
export * as FileResource from "./resource/FileResource.js"

/**
 * The state of the server's sources as a resource, for agents and the people who
 * look after them.
 *
 * @since 0.1.0
 */
export * as HealthResource from "./resource/HealthResource.js"

/**
 * What a client can read: one resource under a fixed URI, or many under a URI
 * template; with the code that reads it.
 *
 * @since 0.1.0
 */
export * as McpResource from "./resource/McpResource.js"

/**
 * Why a resource could not be read.
 *
 * @since 0.1.0
 */
export * as ResourceError from "./resource/ResourceError.js"

/**
 * The resources a server offers now: list them, read one, complete the
 * variables of a template.
 *
 * @since 0.1.0
 */
export * as ResourceRegistry from "./resource/ResourceRegistry.js"

/**
 * URI templates (RFC 6570) that are matched in linear time and expanded back to
 * the same URI.
 *
 * @since 0.1.0
 */
export * as UriTemplate from "./resource/UriTemplate.js"

/**
 * A prompt that a person can choose in a client: its name, what it asks for, and
 * the messages it becomes.
 *
 * @since 0.1.0
 */
export * as McpPrompt from "./prompt/McpPrompt.js"

/**
 * Why a prompt could not be made.
 *
 * @since 0.1.0
 */
export * as PromptError from "./prompt/PromptError.js"

/**
 * The prompts a server offers now: list them, make one's messages, complete its
 * arguments.
 *
 * @since 0.1.0
 */
export * as PromptRegistry from "./prompt/PromptRegistry.js"

/**
 * Puts the request's id, the tool and the tenant on every line that a handler logs.
 *
 * @since 0.1.0
 */
export * as Annotate from "./middleware/Annotate.js"

/**
 * Writes down every call of a tool: who asked, for what, and how it ended. What was
 * given and what was answered are not in it.
 *
 * @since 0.1.0
 */
export * as Audit from "./middleware/Audit.js"

/**
 * Names calls by what makes them equal: the tool, whose answer it is, and the
 * arguments.
 *
 * @since 0.1.0
 */
export * as CallKey from "./middleware/CallKey.js"

/**
 * How long a client says that it waits for an answer.
 *
 * @since 0.1.0
 */
export * as ClientTimeout from "./middleware/ClientTimeout.js"

/**
 * Brings together what the server, a toolkit and a tool ask of a tool's calls.
 *
 * @since 0.1.0
 */
export * as Levels from "./middleware/Levels.js"

/**
 * Counts and times calls of tools, and what policies did to them.
 *
 * @since 0.1.0
 */
export * as Measure from "./middleware/Measure.js"

/**
 * Is told of every call of a tool: how it began, what each policy did to it and
 * how it ended. Metrics, traces and the audit are observers.
 *
 * @since 0.1.0
 */
export * as Observer from "./middleware/Observer.js"

/**
 * Gives a tool's handler a policy.
 *
 * @since 0.1.0
 */
export * as Protect from "./middleware/Protect.js"

/**
 * What stands around a handler, made once for each tool: every part of its policy,
 * in one order, whatever the order in which they were written.
 *
 * @since 0.1.0
 */
export * as Stack from "./middleware/Stack.js"

/**
 * Makes a span of each call of a tool, which goes on with the client's trace.
 *
 * @since 0.1.0
 */
export * as Trace from "./middleware/Trace.js"

/**
 * Says what stands around each tool: every policy that holds for its calls, in
 * order, where it was set, and what is unwise about it.
 *
 * @since 0.1.0
 */
export * as Plan from "./toolkit/Plan.js"

/**
 * The tools a server offers now: list them, find one, call one.
 *
 * @since 0.1.0
 */
export * as ToolRegistry from "./toolkit/ToolRegistry.js"

/**
 * A typed set of tools with their handlers.
 *
 * @since 0.1.0
 */
export * as Toolkit from "./toolkit/Toolkit.js"

/**
 * A ready-made tool that answers a market question from documents and the
 * user's session history, with citations.
 *
 * @since 0.1.0
 */
export * as Answer from "./toolbox/Answer.js"

/**
 * A ready-made tool that puts a document into the index, from where searches
 * find it at once.
 *
 * @since 0.1.0
 */
export * as IndexDocument from "./toolbox/IndexDocument.js"

/**
 * A ready-made tool that gives a user's recent events and what they say about
 * the user's preferences.
 *
 * @since 0.1.0
 */
export * as PreferenceProfile from "./toolbox/PreferenceProfile.js"

/**
 * Derives from what a user did of late which topics, companies and forms of
 * answer the user prefers.
 *
 * @since 0.1.0
 */
export * as Preferences from "./toolbox/Preferences.js"

/**
 * A ready-made tool that records what a user did, so that later answers can
 * take it into account.
 *
 * @since 0.1.0
 */
export * as RecordEvent from "./toolbox/RecordEvent.js"

/**
 * Reads a JSON Schema off an instruction that lists its fields, without a model:
 * "name, price (number), released (date), in stock (yes/no)".
 *
 * @since 0.1.0
 */
export * as SchemaDraft from "./toolbox/SchemaDraft.js"

/**
 * A ready-made tool that finds passages of market documents by words and by
 * meaning.
 *
 * @since 0.1.0
 */
export * as SemanticSearch from "./toolbox/SemanticSearch.js"

/**
 * A ready-made tool that turns text into JSON that fits a schema, and an
 * instruction into such a schema.
 *
 * @since 0.1.0
 */
export * as StructuredOutput from "./toolbox/StructuredOutput.js"

/**
 * A ready-made tool that summarises documents of the index, each by itself and
 * all together.
 *
 * @since 0.1.0
 */
export * as SummarizeBatch from "./toolbox/SummarizeBatch.js"

/**
 * One MCP server: what is registered, joined to the protocol, ready for any
 * transport.
 *
 * @since 0.1.0
 */
export * as McpServer from "./server/McpServer.js"

/**
 * Serves MCP over HTTP on a `node:http` server of its own, beside an optional
 * `@effect/platform` application, and loses no answer when it stops; or on one
 * path of a server that is there already.
 *
 * @since 0.1.0
 */
export * as HttpTransport from "./transport/HttpTransport.js"

/**
 * Why an HTTP transport did not start, each reason with the address it is about.
 *
 * @since 0.1.0
 */
export * as HttpTransportError from "./transport/HttpTransportError.js"

/**
 * A client in the same process that speaks to the server in real messages: for
 * tests, and for programs that call their own tools.
 *
 * @since 0.1.0
 */
export * as MemoryTransport from "./transport/MemoryTransport.js"

/**
 * Serves one client over standard input and output: a message a line.
 *
 * @since 0.1.0
 */
export * as StdioTransport from "./transport/StdioTransport.js"

/**
 * What every transport is: a layer that serves an `McpServer` to whoever is at
 * the other end, within bounds.
 *
 * @since 0.1.0
 */
export * as Transport from "./transport/Transport.js"

/**
 * Remembers the last calls of tools and how calls went for a quarter of an hour,
 * in memory and without arguments or answers: what the console shows.
 *
 * @since 0.1.0
 */
export * as CallLog from "./ops/CallLog.js"

/**
 * A page for people on the operator's listener: what the server offers and how it
 * is, a form to try each tool, the last calls, and settings for clients to copy.
 *
 * @since 0.1.0
 */
export * as Console from "./ops/Console.js"

/**
 * The page that Prometheus reads.
 *
 * @since 0.1.0
 */
export * as MetricsPage from "./ops/MetricsPage.js"

/**
 * The operator's pages: whether the process lives, whether it wants clients, and
 * how each source and each model is.
 *
 * @since 0.1.0
 */
export * as OpsApp from "./ops/OpsApp.js"

/**
 * Looks at intervals at what has no event to be counted by: whether sources answer,
 * and how much the process has to do.
 *
 * @since 0.1.0
 */
export * as Readings from "./ops/Readings.js"
