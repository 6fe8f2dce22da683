/**
 * The WebAssembly module that multiplies columns of numbers by a query, written
 * out as opcodes: about half a kilobyte, so that nobody has to trust a blob.
 *
 * It imports a memory and exports one function, `multiply`. In words:
 *
 *     multiply(block, bytes, list, end, sums):
 *       while list < end:                      a group of eight columns
 *         column[i] = block + list[i].number * bytes
 *         weight[i] = list[i].weight, four times
 *         for row = 0; row < bytes; row += 32: eight rows, in two vectors of four
 *           sums[row] += column[0][row] * weight[0], then column[1] …, in this order
 *         list += 64
 *
 * `bytes` is the size of a column, a multiple of 32; an entry of the list is the
 * number of a column (i32) and the query's value there (f32). Every product and
 * every sum is rounded to 32 bits, one after the other, column by column.
 *
 * @since 0.1.0
 */

/**
 * How many columns are multiplied in one pass over the sums.
 *
 * @since 0.1.0
 * @category configuration
 */
export const group = 8

type Code = ReadonlyArray<number>

/** Numbers are written seven bits at a time, the lowest first. */
const unsigned = (value: number): Code => value < 128 ? [value] : [(value & 127) | 128, ...unsigned(value >>> 7)]
/** The same for a constant, whose sixth bit is its sign. */
const signed = (value: number): Code => value < 64 ? [value] : [(value & 127) | 128, ...signed(value >>> 7)]

const i32 = 0x7f
const v128 = 0x7b

const blockStart: Code = [0x02, 0x40]
const loopStart: Code = [0x03, 0x40]
const end: Code = [0x0b]
const branch = (depth: number): Code => [0x0c, depth]
const branchIf = (depth: number): Code => [0x0d, depth]
const get = (local: number): Code => [0x20, ...unsigned(local)]
const set = (local: number): Code => [0x21, ...unsigned(local)]
const constant = (value: number): Code => [0x41, ...signed(value)]
const isLess: Code = [0x49]
const isNotLess: Code = [0x4f]
const add: Code = [0x6a]
const multiply: Code = [0x6c]
const simd = (opcode: number): Code => [0xfd, ...unsigned(opcode)]
/** Memory is read and written at an address plus an offset; alignments are given as powers of two. */
const load = (offset: number): Code => [0x28, 2, ...unsigned(offset)]
const loadFour = (offset: number): Code => [...simd(0x00), 4, ...unsigned(offset)]
const loadFourTimes = (offset: number): Code => [...simd(0x09), 2, ...unsigned(offset)]
const storeFour = (offset: number): Code => [...simd(0x0b), 4, ...unsigned(offset)]
const addFour: Code = simd(0xe4)
const multiplyFour: Code = simd(0xe6)

const each = (count: number, code: (n: number) => Code): Code => Array.from({ length: count }, (_, n) => code(n)).flat()

const [block, bytes, list, listEnd, sums, row] = [0, 1, 2, 3, 4, 5] as const
const column = (n: number): number => row + 1 + n
const weight = (n: number): number => column(group) + n

/** One declaration per type: the row and the columns, then the weights. */
const locals: Code = [2, 1 + group, i32, group, v128]

const body: Code = [
  ...blockStart,
  ...loopStart,
  ...[...get(list), ...get(listEnd), ...isNotLess, ...branchIf(1)],
  ...each(group, (n) => [
    ...[...get(block), ...get(list), ...load(8 * n), ...get(bytes), ...multiply, ...add, ...set(column(n))],
    ...[...get(list), ...loadFourTimes(8 * n + 4), ...set(weight(n))]
  ]),
  ...[...constant(0), ...set(row)],
  ...loopStart,
  ...each(2, (half) => [
    ...[...get(sums), ...get(row), ...add],
    ...[...get(sums), ...get(row), ...add, ...loadFour(16 * half)],
    ...each(group, (n) => [
      ...[...get(column(n)), ...get(row), ...add, ...loadFour(16 * half)],
      ...[...get(weight(n)), ...multiplyFour, ...addFour]
    ]),
    ...storeFour(16 * half)
  ]),
  ...[...get(row), ...constant(32), ...add, ...set(row), ...get(row), ...get(bytes), ...isLess, ...branchIf(0)],
  ...end,
  ...[...get(list), ...constant(8 * group), ...add, ...set(list), ...branch(0)],
  ...end,
  ...end,
  ...end
]

const sized = (code: Code): Code => [...unsigned(code.length), ...code]
const named = (name: string): Code => sized(Array.from(name, (letter) => letter.charCodeAt(0)))
const section = (id: number, code: Code): Code => [id, ...sized(code)]

/**
 * The module's bytes: it imports `store.memory` and exports `multiply`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (): Uint8Array<ArrayBuffer> =>
  Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    // types: one function of five numbers, without a result
    ...section(1, [1, 0x60, ...sized([i32, i32, i32, i32, i32]), 0]),
    // imports: a memory of at least one page
    ...section(2, [1, ...named("store"), ...named("memory"), 2, 0, 1]),
    // functions: the first is of the first type
    ...section(3, [1, 0]),
    ...section(7, [1, ...named("multiply"), 0, 0]),
    ...section(10, [1, ...sized([...locals, ...body])])
  ])
