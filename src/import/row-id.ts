import { createHash } from 'node:crypto'
import type { JsonObject } from '../events/json.js'

/**
 * The id of a row that brings none: its number in the file and a hash of what is in it. The same file under another name
 * gives the same ids; rows that are equal are different votes.
 *
 * @param place  `file:line`, or the place in a list
 */
export function rowId(place: string, row: JsonObject): string {
  const number = /\d+(?=\]?$)/.exec(place)?.[0] ?? '1'
  const hash = createHash('sha256').update(JSON.stringify(row)).digest('hex')
  return `${number}-${hash.slice(0, 24)}`
}
