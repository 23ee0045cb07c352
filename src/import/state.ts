import { existsSync, renameSync, rmSync } from 'node:fs'
import { dirname } from 'node:path'
import { BcodError } from '../errors.js'
import { syncDirectory, systemCode, writeFileDurably } from '../files/durable-files.js'
import { readJson } from '../files/read-json.js'
import type { KnownVote } from './known-votes.js'
import { list, object, text } from './values.js'

/** What an import leaves for the next one. No text of users is in it, and no id of a user that is not hashed. */
export interface ImportState {
  readonly format: string
  readonly source: string
  /** Everything before it has been looked at, milliseconds since the epoch; null before the first pull. */
  readonly since: number | null
  readonly votes: readonly KnownVote[]
}

const VERSION = 1

/**
 * @returns an empty state if there is no file
 * @throws IMPORT_STATE_INVALID
 */
export function readState(path: string, { format, source }: Pick<ImportState, 'format' | 'source'>): ImportState {
  if (!existsSync(path)) return { format, source, since: null, votes: [] }
  const invalid = (message: string) => new BcodError('IMPORT_STATE_INVALID', message, { place: path })
  const stored = object(readJson(path, 'IMPORT_STATE_INVALID'))
  if (stored.version !== VERSION) throw invalid(`expected version ${VERSION}`)
  if (stored.format !== format || stored.source !== source) throw invalid('it is the state of another format or source')
  const { since } = stored
  if (since !== null && typeof since !== 'number') throw invalid('expected a time in since')
  return { format, source, since, votes: list(stored.votes).map((vote) => voteOf(vote, invalid)) }
}

function voteOf(value: unknown, invalid: (message: string) => BcodError): KnownVote {
  const [subject, user, id, label, time] = list(value)
  if (text(subject) === null || text(id) === null || typeof label !== 'boolean') throw invalid('a vote is damaged')
  return {
    ...{ subject: subject as string, user: text(user), id: id as string, label },
    time: typeof time === 'number' ? time : null,
  }
}

/** @throws OUTPUT_UNWRITABLE */
export async function writeState(path: string, { votes, ...state }: ImportState): Promise<void> {
  const rows = votes.map(({ subject, user, id, label, time }) => [subject, user, id, label, time])
  const incomplete = `${path}.incomplete-${process.pid}`
  try {
    const bytes = Buffer.from(`${JSON.stringify({ version: VERSION, ...state, votes: rows })}\n`)
    rmSync(incomplete, { force: true }) // of a process that was killed and had this number: in a container all have
    await writeFileDurably(incomplete, [bytes], 0o600)
    renameSync(incomplete, path)
    await syncDirectory(dirname(path))
  } catch (error) {
    const reason = systemCode(error) ?? 'unknown'
    throw new BcodError('OUTPUT_UNWRITABLE', `cannot be written (${reason})`, { place: path, cause: error })
  } finally {
    rmSync(incomplete, { force: true })
  }
}
