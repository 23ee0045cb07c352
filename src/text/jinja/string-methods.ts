import { capitalized, find, lines, split, strip, title } from './python-strings.js'
import { BooleanValue, IntegerValue, ListValue, type Method, Tuple, text, type Value } from './values.js'

type OfText = (value: string, args: readonly Value[], named: ReadonlyMap<string, Value>) => Value

/**
 * Python's methods of `str` that templates call; undefined for one that the library does right, or refuses. It has few of
 * them; its `strip` takes no characters, its white space is JavaScript's, and its `capitalize` and `title` leave letters
 * as they are.
 *
 * Reported: https://github.com/huggingface/huggingface.js/pull/2465 (open) for `capitalize`. No upstream report found for
 * the others: jinja 0.5.11, StringValue.builtins.
 */
export function method(value: string, name: string): Method | undefined {
  const found = METHODS.get(name)
  return (
    found &&
    ((args) => {
      const last = args.at(-1)
      if (last?.type !== 'KeywordArgumentsValue') return found(value, args, new Map())
      return found(value, args.slice(0, -1), last.value as Map<string, Value>)
    })
  )
}

const textOf = (value: Value | undefined): string => {
  if (value?.type !== 'StringValue') throw new Error('a text is needed')
  return String(value.value)
}

const textOrNone = (value: Value | undefined): string | null =>
  value === undefined || value.type === 'NullValue' ? null : textOf(value)

const list = (items: readonly string[]): Value => new ListValue(items.map(text))

const alone =
  (of: (value: string) => string): OfText =>
  (value, args) =>
    only(0, args, text(of(value)))

/** @throws for further arguments, which would be overlooked */
function only(count: number, args: readonly Value[], result: Value): Value {
  if (args.length > count) throw new Error('too many arguments')
  return result
}

const stripped =
  (side: 'both' | 'left' | 'right'): OfText =>
  (value, [characters, ...more]) =>
    only(0, more, text(strip(value, side, textOrNone(characters))))

const splitted =
  (side: 'left' | 'right'): OfText =>
  (value, [separator, most, ...more], named) => {
    const limit = Number((most ?? named.get('maxsplit'))?.value ?? -1)
    return only(0, more, list(split(value, textOrNone(separator ?? named.get('sep')), limit, side)))
  }

const found =
  (side: 'left' | 'right'): OfText =>
  (value, [wanted, ...more]) =>
    only(0, more, new IntegerValue(find(value, textOf(wanted), side)))

const parted =
  (side: 'left' | 'right'): OfText =>
  (value, [separator, ...more]) => {
    const parts = split(value, textOf(separator), 1, side)
    const [before = '', after = ''] = parts
    const three = [before, textOf(separator), after]
    const none = side === 'left' ? [value, '', ''] : ['', '', value]
    return only(0, more, new Tuple((parts.length === 2 ? three : none).map(text)))
  }

const all =
  (pattern: RegExp): OfText =>
  (value, args) =>
    only(0, args, new BooleanValue(pattern.test(value)))

const METHODS: ReadonlyMap<string, OfText> = new Map<string, OfText>([
  ['strip', stripped('both')],
  ['lstrip', stripped('left')],
  ['rstrip', stripped('right')],
  ['split', splitted('left')],
  ['rsplit', splitted('right')],
  ['partition', parted('left')],
  ['rpartition', parted('right')],
  ['find', found('left')],
  ['rfind', found('right')],
  ['title', alone(title)],
  ['capitalize', alone(capitalized)],
  ['splitlines', (value, args) => only(0, args, list(lines(value)))],
  ['count', (value, [wanted, ...more]) => only(0, more, new IntegerValue(value.split(textOf(wanted)).length - 1))],
  ['isspace', (value, args) => only(0, args, new BooleanValue(value !== '' && strip(value, 'both') === ''))],
  ['isalpha', all(/^\p{L}+$/u)],
  ['isdecimal', all(/^\p{Nd}+$/u)],
  [
    'removeprefix',
    (value, [prefix]) => text(value.startsWith(textOf(prefix)) ? value.slice(textOf(prefix).length) : value),
  ],
  [
    'removesuffix',
    (value, [suffix]) =>
      text(value.endsWith(textOf(suffix)) ? value.slice(0, value.length - textOf(suffix).length) : value),
  ],
  [
    'join',
    (value, [items]) => {
      const list = items?.type === 'StringValue' ? [...textOf(items)].map(text) : items?.value
      if (!Array.isArray(list)) throw new Error('a list is needed')
      return text(list.map(textOf).join(value))
    },
  ],
  // Python's digits are more than its decimals: what could be one is refused
  [
    'isdigit',
    (value) => {
      if (/\p{No}/u.test(value)) throw new Error('a digit that is no decimal')
      return new BooleanValue(/^\p{Nd}+$/u.test(value))
    },
  ],
])
