import { setTimeout as sleep } from 'node:timers/promises'
import type { JournalLine } from '../../src/checkpoint/journal.js'
import type { LogRecord } from '../../src/events/types.js'
import { KafkaFeedbackLog } from '../../src/streams/kafka/log.js'
import type { KafkaConnection } from '../../src/streams/kafka/options.js'
import { type OtherClient, Reading, until } from '../support/kafka-reading.js'

export interface VoteChanges {
  readonly id?: string
  readonly subject?: string
  readonly user?: string
  readonly adapter?: string
  readonly arm?: string
  readonly label?: boolean | null
  readonly promptTokens?: readonly number[]
  readonly completionTokens?: readonly number[]
  readonly partition?: number
}

/** A vote on an answer of tokens that follow from `index`, as a record of a CloudEvent. */
export function vote(index: number, changes: VoteChanges = {}): { key: string; value: string; partition: number } {
  const tokens = (from: number, count: number) =>
    Array.from({ length: count }, (_, i) => 3 + ((index * 31 + (from + i) * 17) % 250))
  const { id = `vote-${index}`, subject = `answer-${index}`, partition = 0 } = changes
  const { promptTokens = tokens(0, 4 + (index % 5)), completionTokens = tokens(20, 3 + (index % 7)) } = changes
  const { label = index % 3 !== 0, user, adapter, arm } = changes
  const data = { prompt_tokens: promptTokens, completion_tokens: completionTokens, label, user, adapter, arm }
  const event = { specversion: '1.0', type: 'bcod.feedback.v1', source: 'test', id, subject, data }
  return { key: subject, value: JSON.stringify(event), partition }
}

/** A vote with words in it, on a question of a user of its own. */
export const said = (id: string, content: string) => wordsOrIds(id, { prompt: [{ role: 'user', content }] }, true)

/** Votes of two with words and one of token ids, over and over; their ids are numbers from `from` on. */
export const mixed = (from: number, count: number) =>
  Array.from({ length: count }, (_, i) => {
    const id = String(from + i)
    if (i % 3 < 2) return said(id, `Question ${id}?`)
    return wordsOrIds(id, { prompt_tokens: [5, 6, from + i], completion_tokens: [7, 8] }, false)
  })

function wordsOrIds(id: string, data: object, label: boolean) {
  const attributes = { specversion: '1.0', type: 'bcod.feedback.v1', source: 'test', id, subject: id }
  const completion = 'prompt' in data ? { completion: `Answer ${id}.` } : {}
  return { key: id, value: JSON.stringify({ ...attributes, data: { ...data, ...completion, label, user: id } }) }
}

export const votes = (from: number, count: number, changes: VoteChanges = {}) =>
  Array.from({ length: count }, (_, i) => vote(from + i, changes))

/** `vote-0`, `vote-1`, …: the ids of `votes(from, count)`. */
export const voteIds = (from: number, count: number): string[] =>
  Array.from({ length: count }, (_, i) => `vote-${from + i}`)

export const trainedIds = (lines: readonly JournalLine[]): string[] =>
  lines.flatMap(({ events }) => events.map(({ id }) => id))

/** Waits until an answer from elsewhere satisfies `condition`; fails after `limit` ms. */
export async function eventually(condition: () => Promise<boolean> | boolean, limit = 120_000): Promise<void> {
  for (const end = Date.now() + limit; !(await condition()); await sleep(50))
    if (Date.now() > end) throw new Error(`still waiting after ${limit} ms for ${condition}`)
}

export const byName = (a: string, b: string): number => a.localeCompare(b, 'en', { numeric: true })

/** What a dead-letter topic holds of one record. */
export interface Letter {
  /** topic-partition-offset of the record. */
  readonly id: string
  readonly code: string
  readonly message: string
  readonly stage: string
  readonly key: string | null
  readonly value: Buffer
  readonly headers: Readonly<Record<string, string>>
}

/** Every record of a topic, from its start to its present end. */
export async function readTopic(
  client: OtherClient,
  topic: string,
  connection: KafkaConnection,
): Promise<readonly LogRecord[]> {
  const log = new KafkaFeedbackLog({ ...connection, topic, groupId: 'onlooker', dlq: `${topic}.unused` })
  const reading = new Reading(
    log,
    ({ partitions, bounds }) => new Map(partitions.map((p) => [p, bounds.get(p)!.start])),
  )
  const ends = await client.admin.fetchTopicOffsets(topic)
  const read = () => ends.every(({ partition, high }) => high === '0' || (reading.next.get(partition) ?? 0) >= +high)
  await until(read, 60_000)
  await log.close()
  return reading.records
}

/** Every letter of a dead-letter topic, from its start to its present end. */
export async function readLetters(
  client: OtherClient,
  topic: string,
  connection: KafkaConnection,
): Promise<readonly Letter[]> {
  const records = await readTopic(client, topic, connection)
  return records.map(({ key, value, headers }) => {
    const texts = Object.fromEntries(
      Object.entries(headers).map(([name, bytes]) => [name, Buffer.from(bytes).toString()]),
    )
    const of = (name: string) => texts[`bcod.error.${name}`] ?? ''
    return {
      ...{ id: of('id'), code: of('code'), message: of('message'), stage: of('stage') },
      ...{ key: key && Buffer.from(key).toString(), value: Buffer.from(value ?? []), headers: texts },
    }
  })
}

/** The group's offsets and the log's ends, by partition. */
export async function offsetsOf(client: OtherClient, topic: string, groupId = 'bcod') {
  const ends = await client.admin.fetchTopicOffsets(topic)
  const end = Object.fromEntries(ends.map(({ partition, high }) => [partition, high]))
  return { end, committed: await client.committed(groupId, topic) }
}
