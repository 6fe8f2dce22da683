/**
 * Texts whose words are as common as in prose, the same every time.
 *
 * @since 0.1.0
 */
const random = (seed: number) => {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 4_294_967_296
  }
}

/** Of rank r about 1/r of the time. */
const words = (count: number, vocabulary: number, next: () => number): string =>
  Array.from({ length: count }, () => `w${Math.floor(vocabulary ** next())}`).join(" ")

/** Short ones, so that many have equal scores; every tenth says what the one before says. */
export const documents = (count: number) => {
  const next = random(7)
  let text = ""
  return Array.from({ length: count }, (_, n) => {
    if (n % 10 !== 9) text = words(4 + Math.floor(9 * next()), 400, next)
    return {
      id: `d${n}`,
      text,
      metadata: { group: n % 12, serial: n },
      publishedAt: new Date(1.75e12 + (n % 400) * 3.6e6).toISOString()
    }
  })
}

/** One to fourteen words, each once. */
export const question = (seed: number): string => {
  const next = random(seed * 7_919 + 1)
  return [...new Set(words(1 + seed % 14, 400, next).split(" "))].join(" ")
}
