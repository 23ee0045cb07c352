import { Interpreter } from '@huggingface/jinja'
import { BooleanValue, FloatValue, IntegerValue, printed, text, type Value } from './values.js'

interface BinaryNode {
  readonly operator: { readonly value: string }
  readonly left: unknown
  readonly right: unknown
}
interface Operators {
  evaluate(node: unknown, scope: unknown): Value
  evaluateBinaryExpression(node: BinaryNode, scope: unknown): Value
}

/**
 * Operators take JavaScript's side where it differs: `+` puts anything behind a string, such as `[object Map]` for an
 * object, where Python refuses all but strings; `''` equals `false`, and `'1'` equals 1; `~` writes true for True, and
 * refuses what is undefined or none; the rest of `%` has the sign of the dividend.
 *
 * No upstream report found: jinja 0.5.11, Interpreter.evaluateBinaryExpression.
 */
export function patchOperators(): void {
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

  // an operand that has been evaluated already
  const evaluate = operators.evaluate
  operators.evaluate = function (node, scope) {
    const { type, value } = (node ?? {}) as { readonly type?: string; readonly value?: Value }
    return type === 'Known' && value !== undefined ? value : evaluate.call(this, node, scope)
  }
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
