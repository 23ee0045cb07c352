import { Interpreter } from '@huggingface/jinja'
import { capitalized, given, strip } from './python-strings.js'
import { IntegerValue, printed, text, type Value } from './values.js'

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

/**
 * The filter `trim` takes white space as JavaScript has it, and no characters at all; `string` writes true for True;
 * `capitalize` leaves all but the first character as it is; `length` counts UTF-16; none of them takes what is undefined
 * or none, which are '' and 'None' to Jinja.
 *
 * Reported: https://github.com/huggingface/huggingface.js/pull/2465 (open) for `capitalize`. No upstream report found for
 * the others: jinja 0.5.11, Interpreter.applyFilter.
 */
export function patchFilters(): void {
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
}

const OF_TEXT: readonly unknown[] = ['trim', 'string', 'upper', 'lower', 'capitalize', 'title']

const hasNothing = ({ type }: Value): boolean => type === 'UndefinedValue' || type === 'NullValue'
