/** `tojson` as transformers gives it to templates: Python's `json.dumps`. */

import { float } from './python-strings.js'
import type { Value } from './values.js'

const NAMES = ['ensure_ascii', 'indent', 'separators', 'sort_keys']

interface Form {
  readonly ascii: boolean
  /** Of one level; null = all on one line. */
  readonly indent: string | null
  readonly comma: string
  readonly colon: string
  readonly sorted: boolean
}

/** @throws for what is undefined, or no data */
export function json(value: Value, args: readonly Value[], named: ReadonlyMap<string, Value>): string {
  const [ascii, indent, separators, sorted] = NAMES.map((name, i) => (args[i] ?? named.get(name))?.value ?? null)
  if (args.length > NAMES.length || [...named.keys()].some((name) => !NAMES.includes(name)))
    throw new Error('an argument that tojson does not have')
  const [comma, colon] = Array.isArray(separators)
    ? separators.map((each: Value) => String(each.value))
    : [indent === null ? ', ' : ',', ': ']
  return written(value, '\n', {
    ...{ ascii: Boolean(ascii), sorted: Boolean(sorted), comma: comma!, colon: colon! },
    indent: indent === null ? null : typeof indent === 'string' ? indent : ' '.repeat(Math.max(0, Number(indent))),
  })
}

function written(value: Value, newline: string, form: Form): string {
  switch (value.type) {
    case 'NullValue':
      return 'null'
    case 'BooleanValue':
      return String(value.value)
    case 'IntegerValue':
      return BigInt(Number(value.value)).toString()
    case 'FloatValue':
      return float(Number(value.value))
    case 'StringValue':
      return string(String(value.value), form)
    case 'ArrayValue':
      return within('[]', value.value as Value[], newline, form, (item, inner) => written(item, inner, form))
    case 'ObjectValue': {
      const entries = [...(value.value as Map<string, Value>)]
      if (form.sorted) entries.sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
      return within('{}', entries, newline, form, ([key, item], inner) => {
        return string(key, form) + form.colon + written(item, inner, form)
      })
    }
    default:
      throw new Error(`${value.type} is no JSON`)
  }
}

function within<T>(
  brackets: string,
  items: readonly T[],
  newline: string,
  { indent, comma }: Form,
  write: (item: T, newline: string) => string,
): string {
  const [open, close] = brackets
  if (items.length === 0) return brackets
  if (indent === null) return open + items.map((item) => write(item, newline)).join(comma) + close
  const inner = newline + indent
  return open + inner + items.map((item) => write(item, inner)).join(comma + inner) + newline + close
}

function string(value: string, { ascii }: Form): string {
  const plain = JSON.stringify(value)
  if (!ascii) return plain
  return plain.replace(/[^ -~]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
}
