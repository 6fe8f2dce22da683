import { assert, describe, it } from "@effect/vitest"
import * as RedisTrouble from "causeway-mcp/redis/RedisTrouble"
import { inspect } from "node:util"

const secret = "hunter2"

/** An error as the driver gives it, with the command and its arguments. */
const failed = (message: string, more: object = {}, name = "ReplyError") =>
  Object.assign(new Error(message), { name, command: { name: "auth", args: [secret] } }, more)

const understood = (error: unknown) => RedisTrouble.translate(error, "the store")

describe("RedisTrouble.translate", () => {
  const lasting: ReadonlyArray<readonly [Error, string]> = [
    [failed("WRONGPASS invalid username-password pair"), "Redis refused the user name or the password"],
    [failed("NOAUTH Authentication required."), "Redis asks for a password, and none is set"],
    [failed("NOPERM this user has no permissions"), "the Redis user may not run the commands that the store needs"],
    [failed("ERR unknown command 'EVAL', with args"), "this Redis does not have the commands that the store needs"],
    [
      failed("ERR Error running script: @user_script:3: Unknown Redis command called from script"),
      "this Redis does not have the commands that the store needs"
    ],
    [
      failed("ERR SELECT is not allowed in cluster mode"),
      "a Redis cluster has no database but 0; end the URL before it"
    ],
    [
      failed("self-signed certificate", { code: "DEPTH_ZERO_SELF_SIGNED_CERT" }, "Error"),
      "the certificate of Redis is not trusted (DEPTH_ZERO_SELF_SIGNED_CERT); trust its authority by NODE_EXTRA_CA_CERTS"
    ],
    [
      failed("wrong version number", { code: "ERR_SSL_WRONG_VERSION_NUMBER" }, "Error"),
      "Redis and this process do not agree on TLS (ERR_SSL_WRONG_VERSION_NUMBER); check that the URL begins with what " +
      "the port speaks"
    ]
  ]
  for (const [error, message] of lasting) {
    it(`says of "${error.message}" what an operator can do`, () => {
      assert.deepInclude(understood(error), { _tag: "Misconfigured", message })
    })
  }

  for (
    const error of [
      failed("READONLY You can't write against a read only replica."),
      failed("CLUSTERDOWN The cluster is down"),
      failed("LOADING Redis is loading the dataset in memory"),
      failed("OOM command not allowed when used memory > 'maxmemory'."),
      failed("connect ECONNREFUSED 127.0.0.1:6379", { code: "ECONNREFUSED" }, "Error"),
      failed("Command timed out", {}, "Error")
    ]
  ) {
    it(`takes "${error.message}" for something that passes`, () => {
      assert.strictEqual(understood(error)._tag, "Unavailable")
    })
  }

  it("keeps neither the command nor what a reply quotes of it", () => {
    for (const error of [...lasting.map(([one]) => one), failed(`ERR wrong '${secret}' here`), failed(secret)]) {
      assert.notInclude(inspect(understood(error), { depth: 10 }), secret)
    }
  })
})
