import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { execFile } from "node:child_process"
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { promisify } from "node:util"
import { parse } from "yaml"
import * as Balanced from "./balanced.js"

const folder = "examples/production"
const read = (name: string): string => readFileSync(join(folder, name), "utf8")

/** Runs a program to its end; gives what it said, or fails with it. */
const run = (name: string, args: ReadonlyArray<string>, env: Record<string, string> = {}) =>
  Effect.promise(async () => {
    const { stderr, stdout } = await promisify(execFile)(name, [...args], { env: { ...process.env, ...env } })
    return { stderr, stdout }
  })

/** A check by a program that may not be there. */
const checkedBy = (program: string, name: string, body: (path: string) => Effect.Effect<void>): void => {
  const path = Balanced.findProgram(program)
  if (path !== undefined) return void it.live(name, () => body(path), 30_000)
  const isOptional = program === "systemd-analyze" || process.env.REQUIRE_SERVICES !== "1"
  it.skipIf(isOptional)(`${name} (no ${program} on the PATH: install it)`, () => assert.fail(`${program} is missing`))
}

const seconds = (text: string | undefined): number => Number(/^(\d+)/u.exec(text ?? "")?.[1] ?? NaN)

interface Service {
  readonly environment?: Readonly<Record<string, string>>
  readonly stop_grace_period?: string
  readonly volumes?: ReadonlyArray<string>
  readonly ports?: ReadonlyArray<string>
}

const compose = parse(read("compose.yaml"), { merge: true }) as { services: Readonly<Record<string, Service>> }

describe("the files for production", () => {
  checkedBy(
    "haproxy",
    "pass HAProxy's own check",
    (haproxy) =>
      Effect.asVoid(run(haproxy, ["-c", "-f", join(folder, "haproxy.cfg")], {
        HAPROXY_BIND: ":8080",
        HAPROXY_STATS: "127.0.0.1:8404",
        INSTANCE_A: "127.0.0.1:3333",
        INSTANCE_B: "127.0.0.1:3334"
      }))
  )

  checkedBy("nginx", "pass nginx's own check", (nginx) =>
    Effect.acquireUseRelease(
      Effect.sync(() => mkdtempSync(join(tmpdir(), "causeway-nginx-"))),
      (prefix) => Effect.asVoid(run(nginx, ["-t", "-p", prefix, "-c", resolve(folder, "nginx.conf")])),
      (prefix) => Effect.sync(() => rmSync(prefix, { recursive: true }))
    ))

  checkedBy("systemd-analyze", "pass systemd's own check", (analyze) =>
    Effect.gen(function*() {
      if (!existsSync("/usr/bin/node")) return
      const { stderr } = yield* run(analyze, ["verify", join(folder, "causeway@.service")])
      assert.notInclude(stderr, "causeway@")
    }))

  checkedBy(
    "sh",
    "are scripts that a shell can read",
    (sh) =>
      Effect.forEach(["primary.sh", "replica.sh"], (name) => run(sh, ["-n", join(folder, "postgres", name)]), {
        discard: true
      })
  )

  it("give both instances one setting of everything, and time to drain", () => {
    const { "causeway-a": a, "causeway-b": b } = compose.services
    assert.deepStrictEqual(a, b)
    const { environment = {}, stop_grace_period } = a ?? {}
    const drain = seconds(environment.DRAIN_LAME_DUCK) + seconds(environment.DRAIN_TIMEOUT)
    assert.isAbove(seconds(stop_grace_period), drain + 5)
    const unit = read("causeway@.service")
    const setting = (name: string): string | undefined => new RegExp(`${name}=(.*?)"?$`, "mu").exec(unit)?.[1]
    assert.isAbove(
      seconds(setting("TimeoutStopSec")),
      seconds(setting("DRAIN_LAME_DUCK")) + seconds(setting("DRAIN_TIMEOUT")) + 5
    )
  })

  it("hold no secret, and name every one that has to be given", () => {
    const given = new Map(
      read(".env.example").split("\n").filter((line) => /^[A-Z]/u.test(line)).map((line) => {
        const [name = "", value = ""] = line.split("=", 2)
        return [name, value]
      })
    )
    for (const [name, value] of given) {
      if (/PASSWORD|SECRET|KEY/u.test(name)) assert.strictEqual(value, "", name)
    }
    for (const [, name = ""] of read("compose.yaml").matchAll(/\$\{([A-Z_]+)/gu)) assert.isTrue(given.has(name), name)
    for (const [name, { environment = {} }] of Object.entries(compose.services)) {
      for (const [key, value] of Object.entries(environment)) {
        if (/PASSWORD|SECRET|KEY|URL/u.test(key)) assert.match(value, /\$\{|^\/run\/secrets\//u, `${name} ${key}`)
      }
    }
  })

  it("publish nothing but the balancer and the operator's tools, on this machine only", () => {
    for (const [name, { ports = [] }] of Object.entries(compose.services)) {
      if (ports.length > 0) assert.include(["haproxy", "prometheus", "grafana"], name)
      for (const port of ports) assert.match(port, /^127\.0\.0\.1:/u)
    }
  })

  it("mount only files of this folder and the program", () => {
    const mounted = Object.values(compose.services).flatMap(({ volumes = [] }) =>
      volumes.flatMap((volume) => volume.startsWith(".") ? [volume.split(":")[0] ?? ""] : [])
    )
    // Those of Prometheus and Grafana are folders.
    for (const path of mounted) assert.isTrue(existsSync(join(folder, path)), path)
  })

  it.live("name the tools that the server says are safe to repeat", () =>
    Effect.gen(function*() {
      const { stdout } = yield* run(process.execPath, ["--import", "tsx", "examples/server.ts", "--safe-tools"])
      assert.strictEqual(read("safe-tools.lst"), stdout)
      assert.strictEqual(read("safe-tools.map"), stdout.replaceAll("\n", " 1;\n"))
      assert.include(stdout, "answer_market_question\n")
    }), 60_000)
})
