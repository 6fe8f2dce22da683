/**
 * Authenticates by access tokens, whoever judges them.
 *
 * @since 0.1.0
 */
import * as Exit from "effect/Exit"
import type { Presented } from "../Authenticator.js"
import { Invalid, Missing } from "../Authenticator.js"
import * as Bearer from "./Bearer.js"
import type * as Verdicts from "./Verdicts.js"

/** @internal */
export const wrong = Exit.fail(new Invalid({ description: "the access token is not valid here, or has expired" }))

const missing = Exit.fail(new Missing())
const mostCharacters = 8 * 1024

/**
 * Asks for the verdict on a token of 8 KiB at most.
 *
 * @internal
 */
export const authenticating = (verdicts: Verdicts.Verdicts) => ({ authorization }: Presented) => {
  const token = Bearer.tokenOf(authorization)
  if (token === undefined) return missing
  return token.length > mostCharacters ? wrong : verdicts.of(token)
}
