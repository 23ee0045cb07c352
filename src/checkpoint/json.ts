export type JsonValue = null | boolean | number | string | readonly JsonValue[] | { readonly [key: string]: JsonValue }

/**
 * JSON for a file that people read and programs compare: keys sorted, two spaces, a final newline. The same value gives
 * the same text.
 *
 * @throws TypeError for a number that JSON cannot hold (NaN, infinity), instead of writing null for it
 */
export const stableJson = (value: object | JsonValue): string =>
  `${JSON.stringify(value, (key, inner: unknown) => sorted(key, inner), 2)}\n`

function sorted(key: string, value: unknown): unknown {
  if (typeof value === 'number' && !Number.isFinite(value)) throw new TypeError(`${key}: JSON cannot hold ${value}`)
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
}
