import { BcodError } from '../errors.js'

/**
 * How many bytes a schema registry's serialiser has put before the JSON; 0 if it has put none. No JSON begins with
 * the bytes that they begin with.
 *
 * - Confluent: 0, the schema's id in 4 bytes; since its version 8 also 1, a GUID of 16 bytes
 * - Apicurio: 0, the id in 8 bytes
 * - AWS Glue: 3, 0 (not compressed), a UUID of 16 bytes
 *
 * @throws FEEDBACK_NOT_JSON if they are followed by anything but JSON
 */
export function frameLength(value: Uint8Array): number {
  const lengths = FRAMES[value[0] ?? -1]
  if (lengths === undefined) return 0
  if (value[0] === GLUE && value[1] !== 0) throw notJson('compressed by the serialiser of AWS Glue')
  const length = lengths.find((each) => beginsJson(value[each]))
  if (length === undefined) {
    throw notJson("a schema registry's frame with something else behind it (Avro, Protobuf): publish JSON")
  }
  return length
}

const GLUE = 3
const FRAMES: Readonly<Record<number, readonly number[]>> = { 0: [5, 9], 1: [17], [GLUE]: [18] }

/** `{`, `[`, `"` or white space: what a record's value may begin with. */
const beginsJson = (byte: number | undefined): boolean => byte !== undefined && BEGINNINGS.has(byte)
const BEGINNINGS: ReadonlySet<number> = new Set(Buffer.from('{["\t\n\r '))

const notJson = (problem: string): BcodError => new BcodError('FEEDBACK_NOT_JSON', `not JSON: ${problem}`)
