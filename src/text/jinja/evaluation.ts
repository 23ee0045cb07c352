import { Interpreter } from '@huggingface/jinja'
import { method } from './string-methods.js'
import {
  characters,
  evaluated,
  FunctionValue,
  ListValue,
  type Node,
  ObjectValue,
  Tuple,
  text,
  UndefinedValue,
  type Value,
  View,
} from './values.js'

interface Evaluation {
  evaluate(node: unknown, scope: unknown): Value
  evaluateFor(node: Node, scope: unknown): Value
  evaluateMemberExpression(node: Node, scope: unknown): Value
}

/**
 * Tuples are lists, and so are the pairs, keys and values of an object. An index into a text counts UTF-16. A name behind
 * a dot is looked for among the keys of an object first, where Python has its methods first. What is undefined has
 * attributes, undefined ones. `for` takes no text, and nothing that is undefined.
 *
 * No upstream report found: jinja 0.5.11, Interpreter.evaluateMemberExpression, Interpreter.evaluateFor.
 */
export function patchEvaluation(): void {
  const interpreter = Interpreter.prototype as unknown as Evaluation
  const { evaluate, evaluateFor, evaluateMemberExpression } = interpreter

  interpreter.evaluate = function (node, scope) {
    const { type, value } = (node ?? {}) as { readonly type?: string; readonly value?: unknown }
    if (type === 'Evaluated') return value as Value
    if (type === 'TupleLiteral') return new Tuple((value as Node[]).map((each) => this.evaluate(each, scope)))
    return evaluate.call(this, node, scope)
  }

  interpreter.evaluateMemberExpression = function (node, scope) {
    const object = this.evaluate(node.object, scope)
    const { computed, property } = node as Node & { readonly property: Node }
    if (object.type === 'UndefinedValue') throw new Error('what is undefined has no attributes')
    const isIndex = computed === true && property.type !== 'SliceExpression'
    const key = isIndex ? this.evaluate(property, scope) : null
    if (object.type === 'StringValue' && typeof key?.value === 'number')
      return characters(object).value.at(key.value) ?? new UndefinedValue(undefined)
    if (LOOP_ONLY.includes(String(property.value)) && (object.value as ReadonlyMap<string, Value>).has?.('revindex0'))
      throw new Error(`loop.${property.value} is not there`)
    if (!computed && object.type === 'StringValue') {
      const found = method(String(object.value), String(property.value))
      if (found) return new FunctionValue(found)
    }
    if (
      !computed &&
      object.type === 'ObjectValue' &&
      ['get', 'items', 'keys', 'values'].includes(String(property.value))
    )
      return (object as unknown as { readonly builtins: Map<string, Value> }).builtins.get(String(property.value))!
    const plain = { ...node, object: evaluated(object), ...(key && { property: evaluated(key) }) }
    const value = evaluateMemberExpression.call(this, plain, scope)
    return object instanceof Tuple && property.type === 'SliceExpression' ? new Tuple(value.value as Value[]) : value
  }

  interpreter.evaluateFor = function (node, scope) {
    const iterable = node.iterable as Node
    const isSelect = iterable.type === 'SelectExpression'
    const value = this.evaluate(isSelect ? iterable.lhs : iterable, scope)
    const items =
      value.type === 'StringValue' ? characters(value) : value.type === 'UndefinedValue' ? new ListValue([]) : value
    const plain = { ...node, iterable: isSelect ? { ...iterable, lhs: evaluated(items) } : evaluated(items) }
    return evaluateFor.call(this, plain, scope)
  }

  Object.assign(ObjectValue.prototype, VIEWS)
}

/** What the loop's own object has in Jinja, and not here: refused. */
const LOOP_ONLY: readonly string[] = ['depth', 'depth0', 'cycle', 'changed']

const entries = ({ value }: Value) => [...(value as Map<string, Value>)]
const VIEWS: Readonly<Record<string, (this: Value) => Value>> = {
  items() {
    return new View(
      'dict_items',
      entries(this).map(([key, item]) => new Tuple([text(key), item])),
    )
  },
  keys() {
    return new View(
      'dict_keys',
      entries(this).map(([key]) => text(key)),
    )
  },
  values() {
    return new View(
      'dict_values',
      entries(this).map(([, item]) => item),
    )
  },
}
