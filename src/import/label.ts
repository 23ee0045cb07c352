import type { ReadOptions } from './format.js'
import { Skipped } from './vote.js'

const UP = new Set(['up', 'thumbsup', 'good', 'yes', 'positive', 'like', 'liked', 'true', '1'])
const DOWN = new Set(['down', 'thumbsdown', 'bad', 'no', 'negative', 'dislike', 'disliked', 'false', '0', '-1'])

/**
 * Whether a value is a thumbs-up: by the values that the command line names, else by what is usual (true, 1, "good",
 * "thumbs-up" and their opposites; 0 and −1 are down).
 *
 * @throws Skipped for any other value, such as 0.5
 */
export function labelOf(value: unknown, { up, down }: Pick<ReadOptions, 'up' | 'down'>): boolean {
  const said = typeof value === 'string' ? value.trim() : String(value)
  if (up !== undefined || down !== undefined) {
    if (up?.includes(said)) return true
    if (down?.includes(said)) return false
    throw new Skipped('no_label')
  }
  const word = said.toLowerCase()
  if (word === '') throw new Skipped('no_label')
  const joined = Number.isNaN(Number(word)) ? word.replace(/[\s_-]/g, '') : String(Number(word))
  if (UP.has(joined)) return true
  if (DOWN.has(joined)) return false
  throw new Skipped('no_label')
}
