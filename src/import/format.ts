import type { JsonObject } from '../events/json.js'
import type { Layout } from './files.js'
import type { Row, Rows } from './rows.js'
import { type Finding, type ForeignVote, finding } from './vote.js'

/** What the command line says of how votes are told in an export. */
export interface ReadOptions {
  /** The score, key, annotation or question that is the vote. @default the format's own */
  readonly name?: string
  /** Values that are a thumbs-up. @default the format's own */
  readonly up?: readonly string[]
  readonly down?: readonly string[]
  /** Fields of a task that hold what was asked and what was answered. */
  readonly promptField?: string
  readonly answerField?: string
}

/** How one product, or one kind of file, writes votes. */
export interface Format extends Layout {
  /** On the command line, and by default the source of the events. */
  readonly name: string
  /** What it reads, for the help and the table in the documentation. */
  readonly what: string
  read(rows: Rows, options: ReadOptions): AsyncIterable<Finding>
}

/** Reads votes that stand alone, each record by itself. */
export async function* eachRow(
  rows: Rows,
  read: (value: JsonObject, place: string) => Iterable<Finding>,
): AsyncGenerator<Finding> {
  for await (const row of rows()) yield* row.value === null ? [unreadable(row)] : read(row.value, row.place)
}

/** A record that holds one vote. */
export const one = (place: string, read: () => ForeignVote): readonly Finding[] => [finding(place, read)]

export const unreadable = ({ place, problem }: Row): Finding => ({
  ...{ place, skip: 'unreadable' },
  ...(problem !== undefined && { detail: problem }),
})
