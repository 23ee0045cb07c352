import type { JsonObject } from '../../events/json.js'
import type { Row } from '../rows.js'
import { idOf, object, objects } from '../values.js'
import type { ProductApi } from './api.js'

/** What is asked of a product. */
export interface PullOptions {
  /** What is newer, in milliseconds since the epoch; null: all. */
  readonly since: number | null
  /** The score or annotation that is the vote. */
  readonly name?: string
  /** One project or experiment of the product, by name or id. @default all that the key may read */
  readonly project?: string
}

/** A product that can be asked for votes. */
export interface Source {
  /** The format of its records. */
  readonly format: string
  /** It always gives all votes that there are, whatever `since` says. */
  readonly whole: boolean
  /**
   * How long it may take until a vote can be seen, in milliseconds: the next pull looks back as far. Where answers are
   * listed and not votes, it is how long after an answer a vote on it is still found.
   */
  readonly overlap: number
  /** The header that a key is sent in. */
  authorization(key: string): string
  /** Records in groups, each of which has what its votes are on. */
  batches(api: ProductApi, options: PullOptions): AsyncIterable<readonly Row[]>
}

/** The record of an answer of an API. @param kind  of the place, such as `scores` */
export const apiRow = (kind: string, value: JsonObject, id: unknown = value.id): Row => ({
  ...{ place: `${kind}/${idOf(id) ?? '?'}`, value, list: null },
})

export const bearer = (key: string): string => `Bearer ${key}`

export const basic = (key: string): string => `Basic ${Buffer.from(key).toString('base64')}`

/** RFC 3339, as queries want it; undefined for null. */
export const timeText = (time: number | null): string | undefined =>
  time === null ? undefined : new Date(time).toISOString()

/**
 * The pages of a list that is continued by a cursor.
 *
 * @param ask     for the page at a cursor; undefined at first
 * @param cursor  of the next page; anything but a text ends it
 */
export async function* pages(
  ask: (cursor: string | undefined) => Promise<unknown>,
  cursor: (page: JsonObject) => unknown,
): AsyncGenerator<JsonObject> {
  for (let at: string | undefined; ; ) {
    const page = object(await ask(at))
    yield page
    const next = cursor(page)
    if (typeof next !== 'string' || next === '' || next === at) return
    at = next
  }
}

/** The records of a page under `data`. */
export const dataOf = (page: unknown): readonly JsonObject[] => objects(object(page).data)
