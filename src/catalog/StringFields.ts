/**
 * Fields that a client writes as strings: the variables of a URI, the arguments
 * of a prompt.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import * as AST from "effect/SchemaAST"

/** The fields that are not written as a string, or need services to decode. */
type OtherFields<P extends Schema.Struct.Fields> = {
  readonly [K in keyof P]: [Schema.Struct.Context<Pick<P, K>>] extends [never]
    ? Schema.Struct.Encoded<Pick<P, K>> extends { readonly [_ in K]?: string | undefined } ? never : K
    : K
}[keyof P]

/**
 * Fails to compile, with the sentence `Why`, where a field is not written as a
 * string or needs services to decode.
 *
 * @since 0.1.0
 * @category type-level
 */
export type StringFields<P extends Schema.Struct.Fields, Why extends string> = [OtherFields<P>] extends [never] ? P
  : { readonly [K in OtherFields<P>]: Why }

/**
 * The schema of fields that passed `StringFields`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const struct = (fields: Schema.Struct.Fields): Schema.Schema<unknown, unknown> =>
  // `StringFields` has checked that the fields need no services.
  Schema.Struct(fields) as unknown as Schema.Schema<unknown, unknown>

/** The strings that a type may be; empty when it may be any other. */
const literalsOf = (ast: AST.AST): ReadonlyArray<string> => {
  if (AST.isLiteral(ast)) return typeof ast.literal === "string" ? [ast.literal] : []
  if (AST.isEnums(ast)) {
    const values = ast.enums.map(([, value]) => value)
    return values.every((value) => typeof value === "string") ? values : []
  }
  if (!AST.isUnion(ast)) return []
  const members = ast.types.filter((member) => !AST.isUndefinedKeyword(member)).map(literalsOf)
  return members.some((member) => member.length === 0) ? [] : members.flat()
}

/**
 * The literals that each field may be written as; none for a field that may be
 * anything else.
 *
 * @since 0.1.0
 * @category accessors
 */
export const literals = (fields: Schema.Struct.Fields): ReadonlyMap<string, ReadonlyArray<string>> =>
  new Map(
    AST.getPropertySignatures(AST.encodedAST(Schema.Struct(fields).ast)).map((property) => [
      String(property.name),
      literalsOf(property.type)
    ])
  )
