import { formatBytes, formatDuration, parseBytes, parseDuration } from './units.js'

/** How a key's value is written. Each is a convict format (`formats.ts`). */
export type Format =
  | 'text'
  | 'integer'
  | 'real'
  | 'choice'
  | 'flag'
  | 'duration'
  | 'bytes'
  | 'list'
  | 'autoOrList'
  | 'object'
  | 'records'

/** A value before it is parsed, as a file holds it: `30s`, not 30000. */
export type Raw =
  | string
  | number
  | boolean
  | null
  | readonly string[]
  | Readonly<Record<string, unknown>>
  | readonly Readonly<Record<string, unknown>>[]

/** One key of the configuration. `T` is the type of the parsed value: durations in milliseconds, sizes in bytes. */
export interface Setting<T> {
  readonly format: Format
  readonly doc: string
  readonly fallback: Raw
  readonly nullable: boolean
  readonly sensitive: boolean
  readonly range: Range
  /** The allowed words of a choice or a list; empty = any. */
  readonly choices: readonly string[]
  /** Whether a list may hold the same text twice. */
  readonly repeats: boolean
  /** What each entry of a list of records may hold; null for every other format. */
  readonly fields: Fields | null
  /** Never set: it carries the type of the parsed value. */
  readonly parsedAs?: T
}

/** The fields of a record by name. */
export type Fields = Readonly<Record<string, Setting<unknown>>>

/** A record as the program sees it: every field is there. */
export type RecordOf<F extends Fields> = {
  readonly [Name in keyof F]: F[Name] extends Setting<infer Value> ? Value : never
}

/** Bounds, in the unit of the parsed value. `above` and `below` exclude their value. */
export interface Range {
  readonly min?: number
  readonly max?: number
  readonly above?: number
  readonly below?: number
}

export const text = (fallback: string, doc: string): Setting<string> => setting('text', fallback, doc)

export const optionalText = (doc: string): Setting<string | null> => ({
  ...setting<string | null>('text', null, doc),
  nullable: true,
})

/** Text that is never printed. */
export const secret = (doc: string): Setting<string | null> => ({ ...optionalText(doc), sensitive: true })

export const integer = (fallback: number, range: Range, doc: string): Setting<number> => ({
  ...setting<number>('integer', fallback, doc),
  range,
})

export const optionalInteger = (range: Range, doc: string): Setting<number | null> => ({
  ...setting<number | null>('integer', null, doc),
  nullable: true,
  range,
})

export const real = (fallback: number, range: Range, doc: string): Setting<number> => ({
  ...setting<number>('real', fallback, doc),
  range,
})

export const flag = (fallback: boolean, doc: string): Setting<boolean> => setting('flag', fallback, doc)

export const choice = <const C extends string>(
  choices: readonly C[],
  fallback: NoInfer<C>,
  doc: string,
): Setting<C> => ({
  ...setting<C>('choice', fallback, doc),
  choices,
})

export const optionalChoice = <const C extends string>(choices: readonly C[], doc: string): Setting<C | null> => ({
  ...setting<C | null>('choice', null, doc),
  choices,
  nullable: true,
})

/** `30s`, parsed to milliseconds. */
export const duration = (fallback: string, range: Range, doc: string): Setting<number> => ({
  ...setting<number>('duration', fallback, doc),
  range,
})

/** `64MiB`, parsed to bytes. */
export const bytes = (fallback: string, range: Range, doc: string): Setting<number> => ({
  ...setting<number>('bytes', fallback, doc),
  range,
})

export const list = (fallback: readonly string[], doc: string): Setting<readonly string[]> =>
  setting('list', fallback, doc)

/** Names in an order that counts, or `auto`. */
export const autoOrList = (doc: string): Setting<'auto' | readonly string[]> => ({
  ...setting<'auto' | readonly string[]>('autoOrList', 'auto', doc),
  repeats: true,
})

/** A list whose order and repetitions count, such as a program and its arguments. */
export const words = (doc: string): Setting<readonly string[]> => ({ ...list([], doc), repeats: true })

/** A non-empty list of words out of `choices`. */
export const listOf = <const C extends string>(choices: readonly C[], doc: string): Setting<readonly C[]> => ({
  ...setting<readonly C[]>('list', choices, doc),
  choices,
})

/** Any JSON object, passed on to another program. */
export const object = (doc: string): Setting<Readonly<Record<string, unknown>>> => setting('object', {}, doc)

/** A list of objects with fields of their own; a field that is left out has its default. */
export const records = <const F extends Fields>(fields: F, doc: string): Setting<readonly RecordOf<F>[]> => ({
  ...setting<readonly RecordOf<F>[]>('records', [], doc),
  fields,
})

export const isSetting = (node: unknown): node is Setting<unknown> =>
  typeof node === 'object' && node !== null && 'format' in node && 'fallback' in node

/** Parses a raw value that has been checked: durations become milliseconds, sizes become bytes. */
export function parsed(setting: Setting<unknown>, value: unknown): unknown {
  if (value === null) return null
  if (setting.format === 'duration') return parseDuration(value)
  if (setting.format === 'bytes') return parseBytes(value)
  if (setting.format === 'records') return mapRecords(setting, value, (field, given) => parsed(field, given))
  return value
}

/** The inverse of `parsed`. */
export function raw(setting: Setting<unknown>, value: unknown): unknown {
  if (setting.format === 'records') return mapRecords(setting, value, raw)
  if (typeof value !== 'number') return value
  if (setting.format === 'duration') return formatDuration(value)
  if (setting.format === 'bytes') return formatBytes(value)
  return value
}

/** Each record with every field, as `change` makes it of the field's value, or of its default where it has none. */
export function mapRecords(
  { fields }: Setting<unknown>,
  value: unknown,
  change: (field: Setting<unknown>, value: unknown) => unknown,
): readonly Readonly<Record<string, unknown>>[] {
  const all = Object.entries(fields ?? {})
  return (value as readonly Readonly<Record<string, unknown>>[]).map((record) =>
    Object.fromEntries(all.map(([name, field]) => [name, change(field, record[name] ?? field.fallback)])),
  )
}

function setting<T>(format: Format, fallback: Raw, doc: string): Setting<T> {
  return {
    format,
    doc,
    fallback,
    nullable: false,
    sensitive: false,
    range: {},
    choices: [],
    repeats: false,
    fields: null,
  }
}
