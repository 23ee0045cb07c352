import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { DaemonProcess, settled } from '../support/daemon.js'
import { TestBroker } from '../support/test-broker.js'
import { thorough } from '../support/thorough.js'
import { eventually, offsetsOf, readLetters, trainedIds, vote } from './feedback.js'
import { replayLineage } from './oracle.js'

/** The limit of TensorFlow's own CPU allocator: enough for blocks of 192 positions of this model, not for 256. */
const LITTLE_MEMORY = { TF_MKL_ALLOC_MAX_BYTES: '3000000' }
const BLOCKS_OF = 192

const kafka = new TestBroker('memory')
const { directory } = kafka

/** A vote on so many tokens. */
const long = (index: number, tokens: number) => {
  const draw = (count: number, salt: number) =>
    Array.from({ length: count }, (_, i) => 3 + ((index * 31 + i + salt) % 250))
  return vote(index, { promptTokens: draw(tokens - 4, 0), completionTokens: draw(4, 40) })
}
const longs = (from: number, count: number, tokens: number) =>
  Array.from({ length: count }, (_, i) => long(from + i, tokens))

test.runIf(thorough)(
  'where TensorFlow has no memory for a block, smaller ones train; said once a start, journaled, kept over a restart and replayed to the same adapter',
  async () => {
    await kafka.client.topic('memory')
    const settings = {
      ...{ 'stream.brokers': [kafka.broker.bootstrap], 'stream.topic': 'memory', 'stream.groupId': 'memory' },
      ...{ 'limits.maxLength': 256, 'batch.tokens': 256, 'batch.size': 4, 'batch.stratify': false },
      ...{ 'checkpoint.every': '300ms', 'journal.keepEvents': true },
    }
    const daemon = await DaemonProcess.create(join(directory, 'memory'), settings)
    daemon.environment = LITTLE_MEMORY
    onTestFinished(() => daemon.kill())
    daemon.start()
    await daemon.until(({ state }) => state === 'running')
    await kafka.client.send('memory', longs(0, 4, 20))
    await daemon.until((status) => settled(status) && status.step === 1)
    await expect.poll(() => daemon.metric('bcod_block_limit_tokens')).toBe(0)

    // two of 100 want a block of 256, for which there is no memory (TensorFlow tries for 10 s); neither is there for one of 250
    await kafka.client.send('memory', [...longs(4, 8, 100), long(12, 250), ...longs(13, 3, 100)])
    await daemon.until((status) => settled(status) && status.step === 4)
    // lines reach the file with the next checkpoint
    await eventually(() => daemon.journal().length === 4)
    expect(daemon.journal().map(({ blockLimit }) => blockLimit ?? null)).toEqual([
      null,
      BLOCKS_OF,
      BLOCKS_OF,
      BLOCKS_OF,
    ])
    await expect.poll(() => daemon.metric('bcod_block_limit_tokens')).toBe(BLOCKS_OF)
    await expect.poll(() => daemon.metric('bcod_dead_letters_total{code="TRAIN_OUT_OF_MEMORY"}')).toBe(1)
    expect(await daemon.stop()).toBe(0)
    const said = () => daemon.log.split('\n').filter((line) => line.includes('out of memory')).length
    expect(said()).toBe(1)

    // with all the memory in the world it goes on in the blocks of its line
    daemon.environment = {}
    daemon.start()
    await kafka.client.send('memory', longs(16, 4, 100))
    await daemon.until((status) => settled(status) && status.step === 5)
    expect(await daemon.stop()).toBe(0)
    expect(daemon.journal().at(-1)?.blockLimit).toBe(BLOCKS_OF)
    expect(said()).toBe(1)

    const refused = 12
    const others = Array.from({ length: 20 }, (_, i) => `vote-${i}`).filter((_, i) => i !== refused)
    expect(trainedIds(daemon.journal())).toEqual(others)
    const letters = await readLetters(kafka.client, 'memory.dlq', { brokers: [kafka.broker.bootstrap] })
    expect(letters.map(({ id, code }) => [id, code])).toEqual([[`memory-0-${refused}`, 'TRAIN_OUT_OF_MEMORY']])
    const { end, committed } = await offsetsOf(kafka.client, 'memory', 'memory')
    expect(committed).toEqual(end)
    expect(replayLineage(daemon)).toMatchObject({
      steps: 5,
      events: 19,
      adapter_sha256: daemon.journal().at(-1)?.adapter_sha256,
    })
  },
)
