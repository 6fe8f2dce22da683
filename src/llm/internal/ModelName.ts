/**
 * Tells whether two names of models can stand for the same one.
 *
 * @since 0.1.0
 */

/** Of names that begin otherwise nothing is known: a deployment's, an alias's, a router's. */
const families: ReadonlySet<string> = new Set([
  "claude",
  "codestral",
  "command",
  "deepseek",
  "devstral",
  "gemini",
  "gemma",
  "glm",
  "gpt",
  "grok",
  "kimi",
  "llama",
  "magistral",
  "ministral",
  "mistral",
  "mixtral",
  "nova",
  "o",
  "phi",
  "pixtral",
  "qwen",
  "qwq"
])

/** What makes another model of the same family; the rest are editions of one. */
const kinds: ReadonlySet<string> = new Set([
  "coder",
  "flash",
  "haiku",
  "large",
  "lite",
  "long",
  "max",
  "medium",
  "micro",
  "mini",
  "nano",
  "nemo",
  "opus",
  "plus",
  "pro",
  "reasoner",
  "small",
  "sonnet",
  "tiny",
  "turbo"
])

interface Name {
  readonly family: string
  readonly version: string
  readonly kind: string
}

const maxLength = 200

/** A date or a build behind the name. */
const edition = /[-@:](?:20\d\d-?\d\d-?\d\d|\d\d-\d\d|\d{4}|\d{3})$/u
const ending = /(?::[a-z]+|-v\d+:\d+|-latest|-preview|-exp)+$/u

const read = (name: string): Name | undefined => {
  const path = name.slice(-maxLength).toLowerCase()
  const plain = path.slice(path.lastIndexOf("/") + 1).replace(ending, "").replace(edition, "")
  const words = plain.match(/\d+(?:\.\d+)?[a-z]?(?![a-z\d])|[a-z]+/gu) ?? []
  const family = words.find((word) => families.has(word))
  if (family === undefined) return undefined
  const version = words.filter((word) => /^\d/u.test(word) && !/^\d+(?:\.\d+)?b$/u.test(word)).join(".")
  return { family, version, kind: words.filter((word) => kinds.has(word)).sort().join(" ") }
}

/**
 * Whether `answered` can be the model that was `asked` for: the same name, or
 * the same family, version and kind as far as both names say. A vendor's prefix,
 * a date and words like `latest` make no difference, nor does a name that says
 * no family.
 *
 * @since 0.1.0
 * @category guards
 */
export const isSame = (asked: string, answered: string): boolean => {
  if (asked === answered) return true
  const one = read(asked)
  const other = read(answered)
  if (one === undefined || other === undefined) return true
  if (one.family !== other.family) return false
  const isBare = one.version === "" && one.kind === ""
  return isBare && other.kind !== "reasoner" ||
    ((one.version === "" || other.version === "" || one.version === other.version) && one.kind === other.kind)
}
