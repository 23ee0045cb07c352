import { createHash } from 'node:crypto'
import { appendFileSync, existsSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { takeFence } from '../../src/checkpoint/fence.js'
import { Journal, type JournalLine, journalPath } from '../../src/checkpoint/journal.js'
import { readJournal, readJournalEnd } from '../../src/checkpoint/journal-reader.js'
import type { JournalMark } from '../../src/checkpoint/snapshot.js'
import { errorOf, temporaryDirectory } from '../support/checkpoints.js'

const line = (step: number): JournalLine => ({
  step,
  events: [{ topic: 't', partition: 0, offset: step, source: 's', id: `ü-${step}`, label: true, weight: 1, w: 0.5 }],
  microBatches: [[0]],
  delta: step / 3,
  reference: 'base',
  lr: 1e-4,
  loss: 0.69,
  classRate: 0.5,
  quarantined: [],
  adapter_sha256: 'hash',
  time: '2026-01-01T00:00:00.000Z',
})

/** Opens under a fence of its own, appends the steps, syncs and closes, as one life of a daemon. */
async function live(directory: string, from: JournalMark | null, ...steps: number[]): Promise<JournalMark> {
  const journal = await Journal.open(directory, takeFence(directory), from)
  for (const step of steps) journal.append(line(step))
  const mark = await journal.sync()
  await journal.close()
  return mark
}

async function stepsOf(path: string, bytes?: number): Promise<number[]> {
  const steps: number[] = []
  for await (const { step } of readJournal(path, bytes)) steps.push(step)
  return steps
}

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')

describe('the journal', () => {
  it('gives its last steps, newest first, as far as they are whole', async () => {
    const directory = temporaryDirectory()
    expect(await readJournalEnd(journalPath(directory))).toEqual([])
    await live(directory, null, 1, 2, 3)
    const path = journalPath(directory)
    const length = readFileSync(path).length / 3
    const steps = async (bytes?: number) => (await readJournalEnd(path, bytes)).map(({ step }) => step)
    expect(await steps()).toEqual([3, 2, 1])
    expect(await steps(Math.floor(2.5 * length))).toEqual([3, 2])
    appendFileSync(path, '{"step": 4')
    expect(await steps()).toEqual([3, 2, 1])
    appendFileSync(path, '\n')
    await expect(steps()).rejects.toMatchObject({ code: 'JOURNAL_INVALID', place: path })
  })

  it('goes on where the checkpoint left it, over restarts, and is private', async () => {
    const directory = temporaryDirectory()
    const first = await live(directory, null, 1, 2)
    const second = await live(directory, first, 3)
    const bytes = readFileSync(journalPath(directory))
    expect(second).toEqual({ bytes: bytes.length, sha256: sha256(bytes) })
    expect(await stepsOf(journalPath(directory))).toEqual([1, 2, 3])
    expect(await stepsOf(journalPath(directory), first.bytes)).toEqual([1, 2])
    expect(statSync(journalPath(directory)).mode & 0o777).toBe(0o600)
  })

  it('gives lines back as they were appended', async () => {
    const directory = temporaryDirectory()
    await live(directory, null, 1)
    for await (const read of readJournal(journalPath(directory))) expect(read).toEqual(line(1))
  })

  it('sets a longer tail aside, a torn last line included, each time under a new name', async () => {
    const directory = temporaryDirectory()
    const checkpoint = await live(directory, null, 1)
    await live(directory, checkpoint, 2, 3)
    appendFileSync(journalPath(directory), '{"step":4,"ev')
    await live(directory, checkpoint, 20)
    expect(await stepsOf(journalPath(directory))).toEqual([1, 20])
    expect(await stepsOf(join(directory, 'journal.tail-1.jsonl'))).toEqual([2, 3])
    await live(directory, checkpoint)
    expect(await stepsOf(join(directory, 'journal.tail-2.jsonl'))).toEqual([20])
    expect(await stepsOf(journalPath(directory))).toEqual([1])
  })

  it('without a checkpoint starts over and keeps what was there', async () => {
    const directory = temporaryDirectory()
    await live(directory, null, 1)
    await live(directory, null)
    expect(statSync(journalPath(directory)).size).toBe(0)
    expect(await stepsOf(join(directory, 'journal.tail-1.jsonl'))).toEqual([1])
  })

  it('refuses a shorter file and another one, and leaves both alone', async () => {
    const directory = temporaryDirectory()
    const checkpoint = await live(directory, null, 1, 2)
    const path = journalPath(directory)
    const good = readFileSync(path)
    truncateSync(path, good.length - 1)
    const fence = takeFence(directory)
    const short = await errorOf(() => Journal.open(directory, fence, checkpoint))
    expect(short.line).toBe(
      `JOURNAL_SHORT ${path}: the checkpoint knows ${good.length} bytes, the file has ${good.length - 1}`,
    )
    good[10]! ^= 1
    writeFileSync(path, Buffer.concat([good, good]))
    expect((await errorOf(() => Journal.open(directory, fence, checkpoint))).code).toBe('JOURNAL_MISMATCH')
    expect(readFileSync(path).equals(Buffer.concat([good, good]))).toBe(true)
    expect(existsSync(join(directory, 'journal.tail-1.jsonl'))).toBe(false)
  })

  it('stops a writer that was overtaken before it touches the file of the next', async () => {
    const directory = temporaryDirectory()
    const old = await Journal.open(directory, takeFence(directory), null)
    old.append(line(1))
    const mark = await live(directory, null, 10)
    expect((await errorOf(() => old.sync())).code).toBe('FENCED')
    await old.close()
    expect(sha256(readFileSync(journalPath(directory)))).toBe(mark.sha256)
  })

  it('survives any sequence of lives: what the last checkpoint knew, then the steps since', async () => {
    const life = fc.record({ appended: fc.nat(4), checkpointed: fc.boolean(), torn: fc.boolean() })
    await fc.assert(
      fc.asyncProperty(fc.array(life, { maxLength: 6 }), async (lives) => {
        const directory = temporaryDirectory()
        let checkpoint: JournalMark | null = null
        let known: number[] = []
        for (const { appended, checkpointed, torn } of lives) {
          const steps = Array.from({ length: appended }, (_, i) => known.length + i + 1)
          const mark: JournalMark = await live(directory, checkpoint, ...steps)
          expect(await stepsOf(journalPath(directory))).toEqual([...known, ...steps])
          if (torn) appendFileSync(journalPath(directory), '{"st')
          if (checkpointed) [checkpoint, known] = [mark, [...known, ...steps]]
        }
        expect(await stepsOf(journalPath(directory), checkpoint?.bytes ?? 0)).toEqual(known)
      }),
      { numRuns: 25 },
    )
  })
})

describe('reading a journal', () => {
  it('names the line that is broken, and tells an unfinished one from a missing rest', async () => {
    const path = join(temporaryDirectory(), 'journal.jsonl')
    const good = `${JSON.stringify(line(1))}\n`
    writeFileSync(path, `${good}{"step":\n`)
    expect((await errorOf(() => stepsOf(path))).line).toBe(`JOURNAL_INVALID ${path}:2: is not JSON`)
    writeFileSync(path, `${good}{"step":2}\n`)
    expect((await errorOf(() => stepsOf(path))).line).toMatch(/:2: lacks step, events or microBatches$/)
    writeFileSync(path, `${good}{"step":2`)
    expect(await stepsOf(path)).toEqual([1])
    expect((await errorOf(() => stepsOf(path, good.length + 3))).line).toMatch(/:2: ends in the middle of a line$/)
    expect((await errorOf(() => stepsOf(path, 10_000))).code).toBe('JOURNAL_SHORT')
  })
})
