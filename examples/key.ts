/**
 * Makes an API key: prints it, once, and what to put into `API_KEYS` or the file
 * of `API_KEYS_FILE`, which holds its hash alone.
 *
 *     npm run key -- ID [--tenant TENANT] [--scopes a,b] [--expires 2027-12-31]
 */
import * as ApiKeys from "causeway-mcp/auth/ApiKeys"
import * as Effect from "effect/Effect"
import * as Arguments from "./arguments.js"

const usage = `npm run key -- ID [--tenant TENANT] [--scopes a,b] [--expires 2027-12-31]

  ID         who the key is for; stands in logs and in the audit
  --tenant   whose data it sees; "default" unless given
  --scopes   what it may do, separated by commas; nothing that needs a scope unless given, "*" for everything
  --expires  a date, or a time with its zone, from which it does not do
`

const options = {
  tenant: { type: "string" },
  scopes: { type: "string" },
  expires: { type: "string" }
} as const

const given = Arguments.read(
  usage,
  options,
  ({ expires, scopes, tenant }, [id, ...others]) =>
    id === undefined || others.length > 0 ? "Name one ID." : {
      id,
      ...(tenant === undefined ? {} : { tenant }),
      scopes: (scopes ?? "").split(",").map((scope) => scope.trim()).filter((scope) => scope !== ""),
      ...(expires === undefined ? {} : { expiresAt: expires })
    }
)

await Arguments.run(given, (asked) =>
  Effect.gen(function*() {
    const { hash, key } = yield* ApiKeys.generate
    const entry: ApiKeys.ApiKey = { hash, ...asked }
    // Refuses what a server would refuse.
    yield* ApiKeys.make([entry])
    process.stdout.write(`key, shown only now:  ${key}\nadd to the list:      ${JSON.stringify(entry)}\n`)
    return 0
  }).pipe(Effect.catchAll((error) => Effect.as(Arguments.print(`${error.message}\n`), 1))))
