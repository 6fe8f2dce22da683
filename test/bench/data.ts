/**
 * What the benchmark's tools compute, for servers with and without the library.
 *
 * @since 0.1.0
 */
const sentence =
  "Checkout latency rose after the connection pool was shrunk; the retry budget hid it until the queue filled. "

const rows = [1, 2, 3, 4, 5].map((n) => ({
  id: `doc-${n}`,
  source: `https://docs.example.test/corpus/${n}`,
  confidence: 0.9 - n / 100,
  title: `Result ${n} for `,
  text: `[${n}] ${sentence.repeat(6)}`.slice(0, 600)
}))

/**
 * @since 0.1.0
 */
export const add = (a: number, b: number): { readonly sum: number } => ({ sum: a + b })

/**
 * Five rows, about 4 KB, made anew for every call.
 *
 * @since 0.1.0
 */
export const search = (query: string): { readonly results: typeof rows } => ({
  results: rows.map((row) => ({ ...row, title: row.title + query }))
})

/**
 * What a caller of a server in production sends besides: a key, of which the
 * server knows the hash, and the place in a trace that is not sampled.
 *
 * @since 0.1.0
 */
export const credentials = {
  authorization: "Bearer cw_benchmarks-have-no-secrets",
  traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"
} as const
