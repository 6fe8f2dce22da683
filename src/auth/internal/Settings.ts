/**
 * How settings of authentication are read: an empty variable is an absent one.
 *
 * @since 0.1.0
 */
import * as Config from "effect/Config"
import * as Option from "effect/Option"

/** @internal */
export const nonEmpty = (name: string): Config.Config<Option.Option<string>> =>
  Config.map(Config.option(Config.string(name)), Option.filter((text) => text.trim() !== ""))
