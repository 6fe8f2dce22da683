/**
 * What the commands have in common: how arguments are read, and how a command
 * ends.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import type { ParseArgsConfig } from "node:util"
import { parseArgs } from "node:util"

type Options = NonNullable<ParseArgsConfig["options"]>

/** The options that were given, by name. */
export type Values<O extends Options> = ReturnType<
  typeof parseArgs<{ readonly options: O; readonly allowPositionals: true }>
>["values"]

/** Why nothing is run: the usage was asked for, or the arguments are none of the command's. */
export interface Unread {
  readonly text: string
  readonly exitCode: 0 | 2
}

/**
 * The arguments of this process. `choose` makes of the options, and of what stands
 * beside them, what the command needs, or a sentence about what is wrong.
 */
export const read = <const O extends Options, A extends object>(
  usage: string,
  options: O,
  choose: (values: Values<O>, others: ReadonlyArray<string>) => A | string,
  args: ReadonlyArray<string> = process.argv.slice(2)
): Either.Either<A, Unread> => {
  const wrong = (sentence: string) => Either.left<Unread>({ text: `${sentence}\n\n${usage}`, exitCode: 2 })
  if (args.includes("--help") || args.includes("-h")) return Either.left({ text: usage, exitCode: 0 })
  try {
    const { positionals, values } = parseArgs({ args: [...args], allowPositionals: true, options })
    const chosen = choose(values, positionals)
    return typeof chosen === "string" ? wrong(chosen) : Either.right(chosen)
  } catch (error) {
    return wrong(error instanceof Error ? error.message : String(error))
  }
}

/** Says something beside the command's own output. */
export const print = (text: string): Effect.Effect<void> => Effect.sync(() => process.stderr.write(text))

/** Runs a command as the whole process; it says itself what went wrong, and gives its exit code. */
export const run = async <A>(
  given: Either.Either<A, Unread>,
  command: (given: A) => Effect.Effect<number>
): Promise<void> => {
  if (Either.isLeft(given)) {
    process.stderr.write(given.left.text)
    process.exitCode = given.left.exitCode
    return
  }
  const exit = await Effect.runPromiseExit(command(given.right))
  process.exitCode = Exit.isSuccess(exit) ? exit.value : 1
  if (Exit.isFailure(exit)) process.stderr.write(`This is a bug:\n${Cause.pretty(exit.cause)}\n`)
}
