/**
 * A JSON file of the registry. Null if it is not there, is no JSON, or is something else than what is expected.
 *
 * @param isExpected  asked of an object
 */
export function parseStored<T extends object>(
  text: string | null,
  isExpected: (value: Partial<T>) => boolean,
): T | null {
  if (text === null) return null
  try {
    const value = JSON.parse(text) as T | null
    return typeof value === 'object' && value !== null && isExpected(value) ? value : null
  } catch {
    return null
  }
}
