import { assert, describe, it } from "@effect/vitest"
import * as UriTemplate from "causeway-mcp/resource/UriTemplate"
import * as Either from "effect/Either"
import * as FastCheck from "effect/FastCheck"

const parsed = (template: string): UriTemplate.UriTemplate =>
  Either.getOrThrowWith(UriTemplate.parse(template), (reason) => new Error(`${template}: ${reason}`))

const match = (template: string, uri: string) => UriTemplate.match(parsed(template), uri)

const refusal = (template: string): string => {
  const result = UriTemplate.parse(template)
  return Either.isLeft(result) ? result.left : "was understood"
}

describe("UriTemplate.expand", () => {
  const values = {
    var: "value",
    hello: "Hello World!",
    path: "/foo/bar",
    base: "http://example.com/home/",
    who: "fred",
    half: "50%",
    dub: "me/too",
    dom: "example.com",
    empty: "",
    v: "6",
    x: "1024",
    y: "768",
    list: "red/green/blue"
  }

  /** From the tables of RFC 6570, sections 1.2 and 3.2. */
  const examples: ReadonlyArray<readonly [string, string]> = [
    ["{var}", "value"],
    ["{hello}", "Hello%20World%21"],
    ["{half}", "50%25"],
    ["O{empty}X", "OX"],
    ["{x,y}", "1024,768"],
    ["{x,hello,y}", "1024,Hello%20World%21,768"],
    ["{+var}", "value"],
    ["{+hello}", "Hello%20World!"],
    ["{+half}", "50%25"],
    ["{+base}index", "http://example.com/home/index"],
    ["{+path}/here", "/foo/bar/here"],
    ["here?ref={var}", "here?ref=value"],
    ["{#var}", "#value"],
    ["{#hello}", "#Hello%20World!"],
    ["{#half}", "#50%25"],
    ["foo{#empty}", "foo#"],
    ["foo{#undef}", "foo"],
    ["{.who}", ".fred"],
    ["{.who,half}", ".fred.50%25"],
    ["www{.dom}", "www.example.com"],
    ["X{.var}", "X.value"],
    ["{/who}", "/fred"],
    ["{/half,dub}", "/50%25/me%2Ftoo"],
    ["{/var,x}/here", "/value/1024/here"],
    ["{/list*}", "/red/green/blue"],
    ["{/var,list*}", "/value/red/green/blue"],
    ["{;who}", ";who=fred"],
    ["{;half}", ";half=50%25"],
    ["{;empty}", ";empty"],
    ["{;v,empty,who}", ";v=6;empty;who=fred"],
    ["{;v,bar,who}", ";v=6;who=fred"],
    ["{;x,y}", ";x=1024;y=768"],
    ["{?who}", "?who=fred"],
    ["{?half}", "?half=50%25"],
    ["{?x,y}", "?x=1024&y=768"],
    ["{?x,y,empty}", "?x=1024&y=768&empty="],
    ["{?x,y,undef}", "?x=1024&y=768"],
    ["?fixed=yes{&x}", "?fixed=yes&x=1024"],
    ["{?who}{&half}", "?who=fred&half=50%25"]
  ]
  for (const [template, expected] of examples) {
    it(`writes ${template} as the RFC does`, () => {
      assert.strictEqual(UriTemplate.expand(parsed(template), values), expected)
    })
  }

  it("takes its own keys only from the values", () => {
    assert.strictEqual(UriTemplate.expand(parsed("x:{?constructor,toString}"), {}), "x:")
  })
})

describe("UriTemplate.match", () => {
  it("gives back what was written in, whatever it is", () => {
    const text = FastCheck.string({ minLength: 1, maxLength: 12, unit: "binary" })
    const nasty = FastCheck.stringOf(FastCheck.constantFrom(..."/?#;&=,.%+:@ a-é€\u{1F600}\u0000"), {
      minLength: 1,
      maxLength: 8
    })
    const value = FastCheck.oneof(text, nasty)
    const optional = FastCheck.option(value, { nil: undefined })
    const templates: ReadonlyArray<readonly [string, ReadonlyArray<string>, ReadonlyArray<string>]> = [
      ["notes://{id}", ["id"], []],
      ["notes://{id}/{part}/end", ["id", "part"], []],
      ["notes://{id}.json", ["id"], []],
      ["notes://{+path}", ["path"], []],
      ["notes://{id}/{+path}", ["id", "path"], []],
      ["notes://{+path}/{id}", ["path", "id"], []],
      ["notes://{id}{/path*}", ["id", "path"], []],
      ["notes://{id}{/path*}/end.md", ["id", "path"], []],
      ["notes://{a,b}", ["a", "b"], []],
      ["notes://{a}/x{.c}", ["a", "c"], []],
      ["notes://{/a,b}", ["a", "b"], []],
      ["notes:{+path}{?q,limit}", ["path"], ["q", "limit"]],
      ["notes:{+path}{;v}{?q}{#f}", ["path"], ["v", "q", "f"]],
      ["notes:x{;a,b}", [], ["a", "b"]],
      ["notes:x?fixed=1&q={q}{&a,b}{#f}", ["q"], ["a", "b", "f"]],
      ["notes:all", [], []]
    ]
    for (const [template, required, absent] of templates) {
      const self = parsed(template)
      assert.sameMembers([...self.names], [...required, ...absent])
      FastCheck.assert(FastCheck.property(
        FastCheck.record({
          ...Object.fromEntries(required.map((name) => [name, value])),
          ...Object.fromEntries(absent.map((name) => [name, optional]))
        }),
        (values: { readonly [name: string]: string | undefined }) => {
          const given = Object.fromEntries(Object.entries(values).filter(([, given]) => given !== undefined))
          const uri = UriTemplate.expand(self, values)
          assert.deepStrictEqual(
            UriTemplate.match(self, uri),
            given as { [name: string]: string },
            `${template} ${uri}`
          )
        }
      ))
    }
  })

  it("holds a segment to one segment", () => {
    assert.deepStrictEqual(match("notes://{id}", "notes://7"), { id: "7" })
    assert.deepStrictEqual(match("notes://{id}", "notes://ada@example.com"), { id: "ada@example.com" })
    for (const uri of ["notes://", "notes://a/b", "notes://a?b", "notes://a#b", "note://a", "xnotes://a"]) {
      assert.isUndefined(match("notes://{id}", uri), uri)
    }
  })

  it("lets one variable span segments", () => {
    assert.deepStrictEqual(match("repo://{owner}/{+path}", "repo://me/src/a/b.ts"), { owner: "me", path: "src/a/b.ts" })
    assert.deepStrictEqual(match("repo://{+path}/at/{rev}", "repo://a/at/b/at/c"), { path: "a/at/b", rev: "c" })
    assert.deepStrictEqual(match("repo://x{/path*}", "repo://x/a/b%20c"), { path: "a/b c" })
    assert.isUndefined(match("repo://x{/path*}", "repo://x"))
    assert.isUndefined(match("repo://x{/path*}", "repo://x/a%2Fb/c"), "an encoded slash is no slash between items")
  })

  it("takes a query in any order, each key once, and nothing it does not name", () => {
    const template = "s://d{?q,limit}"
    assert.deepStrictEqual(match(template, "s://d"), {})
    assert.deepStrictEqual(match(template, "s://d?limit=2&q=a%26b"), { limit: "2", q: "a&b" })
    assert.deepStrictEqual(match(template, "s://d?q"), { q: "" })
    for (const uri of ["s://d?q=1&q=2", "s://d?other=1", "s://d?q=1&", "s://d?q=1#f", "s://dx?q=1"]) {
      assert.isUndefined(match(template, uri), uri)
    }
    assert.isUndefined(match("s://d?q={q}", "s://d"))
    assert.isUndefined(match("s://d?kind=a{&q}", "s://d?kind=b&q=1"))
  })

  it("gives the earlier variable the least where the literals leave a choice", () => {
    assert.deepStrictEqual(match("r://{a}-{b}", "r://x-y-z"), { a: "x", b: "y-z" })
    assert.deepStrictEqual(match("r://{name}.json", "r://a.json.json"), { name: "a.json" })
  })

  it("refuses malformed percent sequences", () => {
    for (const text of ["%", "%2", "%zz", "a%C3", "%C3%28", "%ff"]) {
      assert.isUndefined(match("n://{id}", `n://${text}`), text)
      assert.isUndefined(match("n://x{?q}", `n://x?q=${text}`), text)
      assert.isUndefined(match("n://x{/p*}", `n://x/a/${text}`), text)
    }
  })

  it("makes no property of a prototype out of a name", () => {
    const values = match("n://{__proto__}", "n://polluted")
    assert.deepStrictEqual(Object.keys(values ?? {}), ["__proto__"])
    assert.notProperty({}, "polluted")
  })

  it("answers hostile URIs of any length at once, for every operator", () => {
    const templates = [
      "x://{a}",
      "x://{a,b,c}",
      "x://{a}aaaaaaaab{b}aaaaaaaab{c}",
      "x://{+a}",
      "x://{+a}/a/a/a/b/{b}",
      "x://{.a,b}",
      "x:/{/a,b}",
      "x:/{/a*}",
      "x:/{/a,b*}/end",
      "x://y{;a,b}",
      "x://y{?a,b}",
      "x://y?a=1{&b,c}",
      "x://y{#a}",
      `x://{a}${"a".repeat(900)}b{b}${"a".repeat(900)}b{+c}`,
      `x://{+a}b${"a".repeat(900)}{b}b${"a".repeat(900)}{c}`
    ].map(parsed)
    const pieces = ["a", "/", "a/", "%", "%2F", "%41", ",", ".", ";a=", "&a=", "?", "#", "aaaaaaaa", "/a/a/a", "=", "é"]
    const measure = (template: UriTemplate.UriTemplate, uri: string): number => {
      const begun = performance.now()
      UriTemplate.match(template, uri)
      return performance.now() - begun
    }
    let slowest = 0
    for (const length of [UriTemplate.maxUriLength, 50_000]) {
      for (const start of ["x://", "x:/", "x://y", "x://y?a=1", "x://y;a", "x://y#", "x://y?"]) {
        for (const piece of pieces) {
          const uri = `${start}${piece.repeat(length)}`.slice(0, length)
          for (const template of templates) {
            let took = measure(template, uri)
            // The machine may have been busy with something else: what is slow by itself is slow each time.
            for (let again = 0; again < 3 && took >= 50; again++) took = Math.min(took, measure(template, uri))
            slowest = Math.max(slowest, took)
          }
        }
      }
    }
    assert.isBelow(slowest, 50)
  })

  it("takes no URI longer than it says", () => {
    const id = "a".repeat(UriTemplate.maxUriLength - 4)
    assert.deepStrictEqual(match("n://{id}", `n://${id}`), { id })
    assert.isUndefined(match("n://{id}", `n://${id}a`))
  })
})

describe("UriTemplate.parse", () => {
  it("keeps the names in order", () => {
    assert.deepStrictEqual(parsed("n://{a}{/b,c*}{;d}{?e,f}{&g}{#h}").names, ["a", "b", "c", "d", "e", "f", "g", "h"])
  })

  const refused: ReadonlyArray<readonly [string, string]> = [
    ["n://{id", "the brace at character 4 is not closed"],
    ["n://id}", "character 6 cannot stand in a URI"],
    ["n://{}", "is no name"],
    ["n://{a b}", "is no name"],
    ["n://{=a}", "is no name"],
    ["n://{a:3}", "cannot be matched back"],
    ["n://{a*}", "the star at character 4"],
    ["n://x{?a*}", "the star at character 5"],
    ["n://{/a*,b}", "the star at character 4"],
    ["n://{a}{b}", "two variables stand side by side at character 7"],
    ["n://{a}/{a}", "the name \"a\" stands twice"],
    ["n://{+a}/{+b}", "only one variable may span segments"],
    ["n://{+a,b}", "only one variable may span segments"],
    ["n://x{&a}", "must follow a query"],
    ["n://x?a=1{?b}", "write {&…}"],
    ["n://x?a={b}c", "a whole value"],
    ["n://x?{b}", "a whole value"],
    ["n://x{?a}b", "only {&…} or {#…} may follow"],
    ["n://x{?a}{b}", "must stand in the path"],
    ["n://x{;a}/b", "{;…} must end the path"],
    ["n://x;y{;a}", "no other semicolon"],
    ["n://x#frag", "only be written as {#name}"],
    ["n://x{#a}y", "nothing may follow the fragment"],
    ["n://x{#a}{?q}", "nothing may follow the fragment"],
    ["n://x{#a,b}", "one variable only"],
    ["n://a b", "percent-encode it"],
    ["n://é", "percent-encode it"],
    ["n://%zz", "percent-encode it"],
    [`n://${"a".repeat(2048)}`, "at most 2048 characters"]
  ]
  for (const [template, reason] of refused) {
    it(`says what is wrong with ${template.slice(0, 20)}`, () => assert.include(refusal(template), reason))
  }
})
