/**
 * Repairs of @huggingface/jinja 0.5.11, made once when this file is first imported: what it prints otherwise than the
 * Jinja and Python that transformers renders templates with. Each repair can go once the library has it;
 * tests/golden/templates holds them against transformers. docs/adr/020-text-as-transformers-has-it.md tells more.
 */
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { Environment, Interpreter, Template } from '@huggingface/jinja'

export { Environment, Interpreter, Template }

const REPAIRED_VERSION = '0.5.11'
const require = createRequire(import.meta.url)
// the package does not export its package.json
const { version } = require(join(dirname(require.resolve('@huggingface/jinja')), '..', 'package.json')) as {
  version: string
}
if (version !== REPAIRED_VERSION) throw new Error(`@huggingface/jinja ${REPAIRED_VERSION} is needed, found ${version}`)

/** A value as the library's interpreter has it. */
interface Value {
  readonly type: string
  readonly value: unknown
}

type Builtins = Map<string, Value>
type Method = (args: readonly Value[]) => Value

const environment = new Environment()
const text = (value: string): Value => new StringValue(value)
const StringValue = classOf<string>(environment.set('text', ''))
const FunctionValue = classOf<Method>(environment.set('method', () => ''))
const IntegerValue = classOf<number>(environment.set('count', 1))
const FloatValue = classOf<number>(environment.set('share', 0.5))

/**
 * 1. `strip`, `lstrip` and `rstrip` ignore which characters they are to take (`strip('\n')` in Qwen3's template), and
 * what is white space to JavaScript's trim is not quite what it is to Python.
 */
const strings = StringValue.prototype as { readonly builtins: Builtins }
const libraryBuiltins = getterOf(strings, 'builtins')
Object.defineProperty(strings, 'builtins', {
  get(this: { readonly value: string }): Builtins {
    const builtins = libraryBuiltins.call(this)
    if (builtins.get('strip') instanceof Repaired) return builtins
    for (const [name, side] of Object.entries(SIDES)) {
      builtins.set(name, new Repaired(([characters]) => text(strip(this.value, side, given(characters)))))
    }
    builtins.set('capitalize', new Repaired(() => text(capitalized(this.value))))
    return builtins
  },
})

/** A method of ours, known by its class. */
class Repaired extends FunctionValue {}

const SIDES = { strip: 'both', lstrip: 'left', rstrip: 'right' } as const

function given(characters: Value | undefined): string | null {
  if (characters === undefined || characters.type === 'NullValue') return null
  if (typeof characters.value === 'string') return characters.value
  throw new Error('the characters to strip must be a string')
}

/** Python's white space: that of Unicode, and four separators of ASCII. */
const PYTHON_SPACES =
  '\t\n\v\f\r\x1c\x1d\x1e\x1f \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a' +
  '\u2028\u2029\u202f\u205f\u3000'

/** Python's `str.strip`, `lstrip` and `rstrip`. @param characters  those to take away; null = white space */
export function strip(value: string, side: 'both' | 'left' | 'right', characters: string | null = null): string {
  const set = new Set(characters ?? PYTHON_SPACES)
  const all = [...value]
  let start = 0
  let end = all.length
  if (side !== 'right') while (start < end && set.has(all[start]!)) start += 1
  if (side !== 'left') while (end > start && set.has(all[end - 1]!)) end -= 1
  return all.slice(start, end).join('')
}

/**
 * 2. The filter `trim` takes white space as JavaScript has it, and no characters at all; `string` writes true for True;
 * `capitalize` leaves all but the first character as it is; `length` counts UTF-16; none of them takes what is undefined
 * or none, which are '' and 'None' to Jinja.
 */
interface FilterNode {
  readonly type: string
  readonly value?: unknown
  readonly callee?: { readonly value?: unknown }
  readonly args?: unknown
}
interface Filters {
  applyFilter(operand: Value, node: FilterNode, scope: unknown): Value
  evaluateArguments(args: unknown, scope: unknown): [Value[], Map<string, Value>]
}
const interpreter = Interpreter.prototype as unknown as Filters
const applyFilter = interpreter.applyFilter
interpreter.applyFilter = function (operand, node, scope) {
  const name = node.type === 'CallExpression' ? node.callee?.value : node.value
  if (hasNothing(operand) && (OF_TEXT.includes(name) || (name === 'length' && operand.type === 'UndefinedValue')))
    return this.applyFilter(text(printed(operand)), node, scope)
  if (name === 'string' && operand.type === 'BooleanValue') return text(String(operand))
  if (name === 'capitalize' && operand.type === 'StringValue') return text(capitalized(String(operand.value)))
  if (name === 'length' && operand.type === 'StringValue') return new IntegerValue([...String(operand.value)].length)
  if (name !== 'trim' || operand.type !== 'StringValue') return applyFilter.call(this, operand, node, scope)
  const [args, named] =
    node.args === undefined ? [[], new Map<string, Value>()] : this.evaluateArguments(node.args, scope)
  return text(strip(String(operand.value), 'both', given(args[0] ?? named.get('chars'))))
}

const OF_TEXT: readonly unknown[] = ['trim', 'string', 'upper', 'lower', 'capitalize', 'title']

const hasNothing = ({ type }: Value): boolean => type === 'UndefinedValue' || type === 'NullValue'

/** A value as Jinja prints it. */
function printed(value: Value): string {
  if (value.type === 'UndefinedValue') return ''
  return value.type === 'NullValue' ? 'None' : String(value)
}

function capitalized(value: string): string {
  const [first = '', ...rest] = value
  return first.toUpperCase() + rest.join('').toLowerCase()
}

/**
 * 3. Operators take JavaScript's side where it differs: `+` puts anything behind a string, such as `[object Map]` for an
 * object, where Python refuses all but strings; `''` equals `false`, and `'1'` equals 1; `~` writes true for True, and
 * refuses what is undefined or none; the rest of `%` has the sign of the dividend.
 */
interface BinaryNode {
  readonly operator: { readonly value: string }
  readonly left: unknown
  readonly right: unknown
}
interface Operators {
  evaluate(node: unknown, scope: unknown): Value
  evaluateBinaryExpression(node: BinaryNode, scope: unknown): Value
}
const operators = Interpreter.prototype as unknown as Operators
const evaluateBinaryExpression = operators.evaluateBinaryExpression
operators.evaluateBinaryExpression = function (node, scope) {
  const operator = node.operator.value
  if (!['+', '~', '%', '==', '!='].includes(operator)) return evaluateBinaryExpression.call(this, node, scope)
  const left = this.evaluate(node.left, scope)
  const right = this.evaluate(node.right, scope)
  if (operator === '==' || operator === '!=') return new BooleanValue(equal(left, right) === (operator === '=='))
  if (operator === '~') return text(printed(left) + printed(right))
  if (operator === '%' && isNumber(left.value) && isNumber(right.value)) return modulo(left, right)
  if (operator === '+' && left.type === 'StringValue' && right.type === 'StringValue')
    return text(`${left.value}${right.value}`)
  if (operator === '+' && (left.type === 'StringValue' || right.type === 'StringValue'))
    throw new Error('only a string follows a string')
  const known = (value: Value) => ({ type: 'Known', value })
  return evaluateBinaryExpression.call(this, { ...node, left: known(left), right: known(right) }, scope)
}

/** Python's `%` of numbers: it has the sign of the divisor. */
function modulo(left: Value, right: Value): Value {
  const [a, b] = [Number(left.value), Number(right.value)]
  if (b === 0) throw new Error('modulo by zero')
  const rest = a % b
  const Kind = [left, right].some(({ type }) => type === 'FloatValue') ? FloatValue : IntegerValue
  return new Kind(rest !== 0 && rest < 0 !== b < 0 ? rest + b : rest)
}

/** Python's `==`: numbers and booleans by their number, lists and dicts by what they hold, all else by type and value. */
function equal(left: Value, right: Value): boolean {
  const [a, b] = [left.value, right.value]
  if (isNumber(a) && isNumber(b)) return Number(a) === Number(b)
  if (Array.isArray(a) && Array.isArray(b)) {
    return a.length === b.length && a.every((item: Value, i) => equal(item, b[i] as Value))
  }
  if (a instanceof Map && b instanceof Map) {
    const has = ([key, item]: [unknown, Value]) => b.has(key) && equal(item, b.get(key) as Value)
    return a.size === b.size && [...(a as Map<unknown, Value>)].every(has)
  }
  return left.type === right.type && a === b
}

const isNumber = (value: unknown): boolean => typeof value === 'number' || typeof value === 'boolean'

const BooleanValue = classOf<boolean>(environment.set('flag', false))
BooleanValue.prototype.toString = function (this: Value) {
  return this.value === true ? 'True' : 'False'
}
const evaluate = operators.evaluate
operators.evaluate = function (node, scope) {
  const { type, value } = (node ?? {}) as { readonly type?: string; readonly value?: Value }
  return type === 'Known' && value !== undefined ? value : evaluate.call(this, node, scope)
}

/** 4. `{{ none }}` prints nothing. Statements that print nothing are none as well. */
interface Blocks {
  evaluate(node: unknown, scope: unknown): Value
  evaluateBlock(statements: readonly { readonly type: string }[], scope: unknown): Value
}
const blocks = Interpreter.prototype as unknown as Blocks
blocks.evaluateBlock = function (statements, scope) {
  let all = ''
  for (const statement of statements) {
    const value = this.evaluate(statement, scope)
    if (value.type !== 'NullValue' || !SILENT.includes(statement.type)) all += printed(value)
  }
  return text(all)
}

const SILENT: readonly string[] = ['Set', 'Macro', 'Comment']

type Class<T> = new (value: T) => Value

function classOf<T>(value: object): Class<T> {
  return value.constructor as Class<T>
}

function getterOf(prototype: object, name: string): (this: unknown) => Builtins {
  const getter = Object.getOwnPropertyDescriptor(prototype, name)?.get
  if (!getter) throw new Error(`@huggingface/jinja has no getter ${name}`)
  return getter as (this: unknown) => Builtins
}
