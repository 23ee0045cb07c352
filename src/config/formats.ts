import type { Fields, Format, Range, Setting } from './setting.js'
import { formatBytes, formatDuration, parseBytes, parseDuration } from './units.js'

/** Whether the key allows this raw value. */
export function accepts(setting: Setting<unknown>, value: unknown): boolean {
  if (value === null) return setting.nullable
  return FORMATS[setting.format].accepts(value, setting)
}

/** A value from the environment or a flag is text: numbers, booleans and lists are parsed from it if the key takes them. */
export function coerce(format: Format, value: string): unknown {
  return FORMATS[format].coerce(value)
}

/** What the key expects, as it reads after "expected". */
export function expectation(setting: Setting<unknown>): string {
  const base = FORMATS[setting.format].expects(setting)
  return setting.nullable ? `${base}, or null` : base
}

interface FormatRules {
  accepts(value: unknown, setting: Setting<unknown>): boolean
  coerce(value: string): unknown
  expects(setting: Setting<unknown>): string
}

const FORMATS: Readonly<Record<Format, FormatRules>> = {
  text: {
    accepts: (value) => typeof value === 'string' && value !== '',
    coerce: (value) => value,
    expects: () => 'a text',
  },
  integer: {
    accepts: (value, { range }) => Number.isSafeInteger(value) && within(range, value as number),
    coerce: asNumber,
    expects: ({ range }) => `an integer${rangeText(range, String)}`,
  },
  real: {
    accepts: (value, { range }) => Number.isFinite(value) && within(range, value as number),
    coerce: asNumber,
    expects: ({ range }) => `a number${rangeText(range, String)}`,
  },
  flag: {
    accepts: (value) => typeof value === 'boolean',
    coerce: (value) => (value === 'true' ? true : value === 'false' ? false : value),
    expects: () => 'true or false',
  },
  choice: {
    accepts: (value, { choices }) => typeof value === 'string' && choices.includes(value),
    coerce: (value) => value,
    expects: ({ choices }) => `one of ${choices.join(', ')}`,
  },
  duration: {
    accepts: (value, { range }) => {
      const milliseconds = parseDuration(value)
      return milliseconds !== null && within(range, milliseconds)
    },
    coerce: (value) => value,
    expects: ({ range }) =>
      `a duration such as 250ms, 30s or 15m${allowsZero(range) ? ' (0 = off)' : ''}${rangeText(range, formatDuration)}`,
  },
  bytes: {
    accepts: (value, { range }) => {
      const size = parseBytes(value)
      return size !== null && within(range, size)
    },
    coerce: (value) => value,
    expects: ({ range }) => `a size in bytes such as 65536 or 64MiB${rangeText(range, formatBytes)}`,
  },
  list: {
    accepts: (value, { choices, repeats }) =>
      Array.isArray(value) &&
      value.every((item) => typeof item === 'string' && item !== '') &&
      (repeats || new Set(value).size === value.length) &&
      (choices.length === 0 || (value.length > 0 && value.every((item) => choices.includes(item)))),
    coerce: asList,
    expects: ({ choices, repeats }) =>
      choices.length === 0
        ? `a list of ${repeats ? '' : 'distinct '}texts`
        : `a non-empty list out of ${choices.join(', ')}`,
  },
  autoOrList: {
    accepts: (value, setting) =>
      value === 'auto' || (FORMATS.list.accepts(value, setting) && (value as readonly unknown[]).length > 0),
    coerce: (value) => (value.trim() === 'auto' ? 'auto' : asList(value)),
    expects: (setting) => `auto, or ${FORMATS.list.expects(setting).replace(/^a /, 'a non-empty ')}`,
  },
  object: {
    accepts: (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
    coerce: asJson,
    expects: () => 'names and values (a JSON object)',
  },
  records: {
    accepts: (value, { fields }) => Array.isArray(value) && value.every((record) => isRecord(record, fields ?? {})),
    coerce: asJson,
    expects: ({ fields }) =>
      `a list of {${Object.entries(fields ?? {})
        .map(([name, field]) => `${name}: ${expectation(field)}`)
        .join('; ')}}`,
  },
}

function isRecord(record: unknown, fields: Fields): boolean {
  if (typeof record !== 'object' || record === null || Array.isArray(record)) return false
  return Object.entries(record).every(([name, value]) => {
    const field = Object.hasOwn(fields, name) ? fields[name] : undefined
    return field !== undefined && accepts(field, value)
  })
}

export const FORMAT_NAMES = Object.keys(FORMATS) as readonly Format[]

function within(range: Range, value: number): boolean {
  return (
    value >= (range.min ?? -Infinity) &&
    value <= (range.max ?? Infinity) &&
    value > (range.above ?? -Infinity) &&
    value < (range.below ?? Infinity)
  )
}

const allowsZero = (range: Range): boolean => within(range, 0)

/** A lower bound of 0 is obvious for a size or a duration; numbers always show their bounds. */
function rangeText(range: Range, show: (bound: number) => string): string {
  const silentZero = show !== String && range.min === 0
  const bounds = [
    range.min === undefined || silentZero ? '' : `>= ${show(range.min)}`,
    range.above === undefined ? '' : `> ${show(range.above)}`,
    range.max === undefined ? '' : `<= ${show(range.max)}`,
    range.below === undefined ? '' : `< ${show(range.below)}`,
  ].filter((bound) => bound !== '')
  return bounds.length === 0 ? '' : ` ${bounds.join(' and ')}`
}

function asNumber(value: string): unknown {
  return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(value.trim()) ? Number(value) : value
}

/** `a,b` or a JSON array. */
function asList(value: string): unknown {
  return value.trim().startsWith('[') ? asJson(value) : value.split(',').map((item) => item.trim())
}

function asJson(value: string): unknown {
  try {
    return JSON.parse(value)
  } catch {
    return value
  }
}
