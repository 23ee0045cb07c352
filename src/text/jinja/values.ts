/** The values of @huggingface/jinja, and how Python prints and compares them. */
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { Environment } from '@huggingface/jinja'
import { float, quoted } from './python-strings.js'

/** The patches replace methods of this version; another may need others, or none. */
export const PATCHED_VERSION = '0.5.11'

/** @throws if another version of @huggingface/jinja is installed */
export function assertVersion(): void {
  const require = createRequire(import.meta.url)
  // the package does not export its package.json
  const { version } = require(join(dirname(require.resolve('@huggingface/jinja')), '..', 'package.json')) as {
    version: string
  }
  if (version !== PATCHED_VERSION) throw new Error(`@huggingface/jinja ${PATCHED_VERSION} is needed, found ${version}`)
}

/** A value as the library's interpreter has it. */
export interface Value {
  readonly type: string
  readonly value: unknown
}

/** A piece of a parsed template. */
export type Node = { readonly type: string } & Readonly<Record<string, unknown>>

export type Method = (args: readonly Value[]) => Value

type Class<T> = new (value: T) => Value & { readonly value: T }

/** The library does not export its classes. */
export const environment = new Environment()
const classOf = <T>(name: string, example: unknown) =>
  (environment.set(name, example) as object).constructor as Class<T>

export const StringValue = classOf<string>('text', '')
export const FunctionValue = classOf<Method>('method', () => '')
export const IntegerValue = classOf<number>('count', 1)
export const FloatValue = classOf<number>('share', 0.5)
export const BooleanValue = classOf<boolean>('flag', false)
export const ListValue = classOf<Value[]>('list', [])
export const UndefinedValue = classOf<undefined>('nothing', undefined)
export const ObjectValue = classOf<Map<string, Value>>('dict', {})

/** A tuple; the library takes it for a list. */
export class Tuple extends ListValue {}

/** What `items`, `keys` and `values` of an object give. */
export class View extends ListValue {
  constructor(
    readonly name: string,
    items: Value[],
  ) {
    super(items)
  }
}

export const text = (value: string): Value => new StringValue(value)

/** The code points of a text, each a text. */
export const characters = ({ value }: Value) => new ListValue([...String(value)].map(text))

/** `str`: a value as Jinja prints it. */
export function printed(value: Value): string {
  if (value.type === 'UndefinedValue') return ''
  return value.type === 'StringValue' ? String(value.value) : shown(value)
}

/** `repr`: a value as it prints within another. */
export function shown(value: Value): string {
  switch (value.type) {
    case 'StringValue':
      return quoted(String(value.value))
    case 'NullValue':
      return 'None'
    case 'UndefinedValue':
      return 'Undefined'
    case 'BooleanValue':
      return value.value === true ? 'True' : 'False'
    case 'FloatValue':
      return float(Number(value.value))
    case 'IntegerValue':
      return BigInt(Number(value.value)).toString()
    case 'ArrayValue':
      return list(value)
    case 'ObjectValue':
    case 'KeywordArgumentsValue':
      return dict(value)
    case 'NamespaceValue':
      return `<Namespace ${dict(value)}>`
    default:
      throw new Error(`${value.type} cannot be printed`)
  }
}

function list(value: Value): string {
  const items = (value.value as Value[]).map(shown)
  if (value instanceof Tuple) return `(${items.join(', ')}${items.length === 1 ? ',' : ''})`
  const plain = `[${items.join(', ')}]`
  return value instanceof View ? `${value.name}(${plain})` : plain
}

const dict = ({ value }: Value): string =>
  `{${[...(value as Map<string, Value>)].map(([key, item]) => `${quoted(key)}: ${shown(item)}`).join(', ')}}`

/** Python's `==`: numbers and booleans by their number, lists and dicts by what they hold, all else by type and value. */
export function equal(left: Value, right: Value): boolean {
  const [a, b] = [left.value, right.value]
  if (isNumber(a) && isNumber(b)) return Number(a) === Number(b)
  if (Array.isArray(a) && Array.isArray(b)) {
    if (left instanceof Tuple !== right instanceof Tuple) return false
    return a.length === b.length && a.every((item: Value, i) => equal(item, b[i] as Value))
  }
  if (a instanceof Map && b instanceof Map) {
    const has = ([key, item]: [unknown, Value]) => b.has(key) && equal(item, b.get(key) as Value)
    return a.size === b.size && [...(a as Map<unknown, Value>)].every(has)
  }
  return left.type === right.type && a === b
}

export const isNumber = (value: unknown): boolean => typeof value === 'number' || typeof value === 'boolean'

/** A value where the library expects an expression; `patchEvaluation` lets it through. */
export const evaluated = (value: Value): Node => ({ type: 'Evaluated', value })
