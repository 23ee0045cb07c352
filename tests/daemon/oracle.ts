import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import type { KafkaConnection } from '../../src/streams/kafka/options.js'
import type { DaemonProcess } from '../support/daemon.js'
import type { OtherClient } from '../support/kafka-reading.js'
import { type Letter, offsetsOf, readLetters, trainedIds } from './feedback.js'

export interface Expected {
  readonly topic: string
  readonly groupId: string
  /** Ids of the events that train, each in exactly one step. */
  readonly trained: readonly string[]
  /** How many records are of no use. */
  readonly letters: number
}

/**
 * What a run without any fault leaves, of a daemon that has stopped: each vote in exactly one applied step, steps
 * without a gap, a letter for each bad record and for no other, every offset committed, and a line that `replay`
 * follows to the adapter that is live.
 *
 * @returns the letters
 */
export async function expectUnharmed(
  daemon: DaemonProcess,
  client: OtherClient,
  connection: KafkaConnection,
  { topic, groupId, trained, letters }: Expected,
): Promise<readonly Letter[]> {
  const lines = daemon.journal()
  expect(lines.map(({ step }) => step)).toEqual(lines.map((_, i) => i + 1))
  expect(trainedIds(lines).sort()).toEqual([...trained].sort())
  const written = await readLetters(client, `${topic}.dlq`, connection)
  expect(new Set(written.map(({ id }) => id)).size).toBe(letters)
  const { end, committed } = await offsetsOf(client, topic, groupId)
  expect(committed).toEqual(end)
  const { steps, adapter_sha256 } = replayLineage(daemon)
  expect(steps).toBe(lines.length)
  expect(adapter_sha256).toBe(lines.at(-1)!.adapter_sha256)
  const published = JSON.parse(readFileSync(join(daemon.adapters, 'live', 'bcod.json'), 'utf8')) as { sha256: string }
  expect(published.sha256).toBe(adapter_sha256)
  return written
}

interface Replayed {
  readonly steps: number
  readonly events: number
  readonly adapter_sha256: string
}

/** Follows the line from its first adapter; the process fails at the first step with another hash. */
export function replayLineage(daemon: DaemonProcess): Replayed {
  const out = join(daemon.directory, `replayed-${Date.now()}`)
  const printed = execFileSync(
    process.execPath,
    ['dist/cli.js', 'replay', '--lineage', daemon.checkpoints, '--out', out, '--json'],
    { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] },
  )
  return JSON.parse(printed.trim().split('\n').at(-1)!) as Replayed
}
