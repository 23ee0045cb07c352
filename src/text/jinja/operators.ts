import { Interpreter } from '@huggingface/jinja'
import {
  BooleanValue,
  equal,
  evaluated,
  FloatValue,
  IntegerValue,
  isNumber,
  ListValue,
  type Node,
  printed,
  Tuple,
  text,
  type Value,
} from './values.js'

interface Operators {
  evaluate(node: unknown, scope: unknown): Value
  evaluateBinaryExpression(node: Node, scope: unknown): Value
}

/**
 * Operators take JavaScript's side where it differs: `+` puts anything behind a string, such as `[object Map]` for an
 * object, where Python refuses all but strings; `''` equals `false`, and `'1'` equals 1; `~` writes true for True, and
 * refuses what is undefined or none; the rest of `%` has the sign of the dividend; `in` finds no equal list or object.
 *
 * No upstream report found: jinja 0.5.11, Interpreter.evaluateBinaryExpression.
 */
export function patchOperators(): void {
  const interpreter = Interpreter.prototype as unknown as Operators
  const evaluateBinaryExpression = interpreter.evaluateBinaryExpression
  interpreter.evaluateBinaryExpression = function (node, scope) {
    const operator = (node.operator as { readonly value: string }).value
    if (operator === 'and' || operator === 'or') return evaluateBinaryExpression.call(this, node, scope)
    const left = this.evaluate(node.left, scope)
    const right = this.evaluate(node.right, scope)
    const ours = OPERATORS.get(operator)?.(left, right)
    if (ours) return ours
    return evaluateBinaryExpression.call(this, { ...node, left: evaluated(left), right: evaluated(right) }, scope)
  }
}

/** What an operator gives; undefined for what the library does right, or refuses. */
const OPERATORS: ReadonlyMap<string, (left: Value, right: Value) => Value | undefined> = new Map([
  ['==', (left: Value, right: Value): Value => new BooleanValue(equal(left, right))],
  ['!=', (left: Value, right: Value): Value => new BooleanValue(!equal(left, right))],
  ['~', (left: Value, right: Value): Value => text(printed(left) + printed(right))],
  ['+', sum],
  ['%', modulo],
  ['*', repeated],
  ['in', (left: Value, right: Value) => contained(left, right, true)],
  ['not in', (left: Value, right: Value) => contained(left, right, false)],
  ...['<', '>', '<=', '>='].map((name) => [name, (left: Value, right: Value) => compared(left, right, name)] as const),
] as const)

function sum(left: Value, right: Value): Value | undefined {
  const types = [left.type, right.type]
  if (types.every((type) => type === 'StringValue')) return text(`${left.value}${right.value}`)
  if (types.includes('StringValue')) throw new Error('only a string follows a string')
  if (left instanceof Tuple !== right instanceof Tuple) throw new Error('only a tuple follows a tuple')
  if (left instanceof Tuple) return new Tuple([...left.value, ...(right.value as Value[])])
  return undefined
}

/** Python's `%` of numbers: it has the sign of the divisor. */
function modulo(left: Value, right: Value): Value | undefined {
  if (!isNumber(left.value) || !isNumber(right.value)) return undefined
  const [a, b] = [Number(left.value), Number(right.value)]
  if (b === 0) throw new Error('modulo by zero')
  const rest = a % b
  const Kind = [left, right].some(({ type }) => type === 'FloatValue') ? FloatValue : IntegerValue
  return new Kind(rest !== 0 && rest < 0 !== b < 0 ? rest + b : rest)
}

/** A text or a list, so many times. */
function repeated(left: Value, right: Value): Value | undefined {
  const [times, many] = left.type === 'IntegerValue' ? [left, right] : [right, left]
  if (times.type !== 'IntegerValue') return undefined
  const count = Math.max(0, Number(times.value))
  if (many.type === 'StringValue') return text(String(many.value).repeat(count))
  if (!(many instanceof ListValue)) return undefined
  const items = Array.from({ length: count }, () => many.value as Value[]).flat()
  return many instanceof Tuple ? new Tuple(items) : new ListValue(items)
}

export function contained(left: Value, right: Value, wanted: boolean): Value | undefined {
  if (!(right instanceof ListValue)) return undefined
  return new BooleanValue((right.value as Value[]).some((item) => equal(item, left)) === wanted)
}

/** Texts by their code points. */
function compared(left: Value, right: Value, operator: string): Value | undefined {
  if (left.type !== 'StringValue' || right.type !== 'StringValue') return undefined
  const order = Buffer.compare(Buffer.from(String(left.value)), Buffer.from(String(right.value)))
  const orEqual = operator.endsWith('=') && order === 0
  return new BooleanValue(orEqual || (operator.startsWith('<') ? order < 0 : order > 0))
}
