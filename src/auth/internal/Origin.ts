/**
 * Which URLs a credential, or what proves one, may be fetched from.
 *
 * @since 0.1.0
 */

/** @internal */
export const isLoopback = ({ hostname }: URL): boolean =>
  hostname === "localhost" || hostname === "[::1]" || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/u.test(hostname)

/**
 * What is wrong with a URL as an end of a sentence, without the URL; `undefined`
 * when it is HTTPS, or loopback, and holds neither credentials nor a fragment.
 *
 * @internal
 */
export const faultOf = (text: string): string | undefined => {
  if (!URL.canParse(text)) return "is not a URL"
  const url = new URL(text)
  if (url.protocol !== "https:" && !(url.protocol === "http:" && isLoopback(url))) {
    return "must begin with https://, or be on this machine"
  }
  if (url.username !== "" || url.password !== "") return "must not hold a user name or a password"
  return url.hash === "" && !text.includes("#") ? undefined : "must not hold a fragment"
}

/**
 * Whether a URL that `issuer` names may be fetched: it is HTTPS, or on this
 * machine when the issuer is.
 *
 * @internal
 */
export const isTrusted = (text: string, issuer: string): boolean =>
  faultOf(text) === undefined && (new URL(text).protocol === "https:" || isLoopback(new URL(issuer)))
