import { cpSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { CheckpointStore } from '../../src/checkpoint/store.js'
import type { StreamSnapshot } from '../../src/daemon/stream/stream-state.js'
import { scratchDirectory } from '../support/bcod.js'
import { DaemonProcess, settled } from '../support/daemon.js'
import { TestBroker } from '../support/test-broker.js'
import { eventually, mixed, readLetters, said, trainedIds } from './feedback.js'

const kafka = new TestBroker('texts')

test('five votes of a megabyte and a template that never ends for one vote hold up neither probes nor the other votes, over a kill -9 too', async () => {
  const model = scratchDirectory()
  cpSync('src/demo/model', model, { recursive: true })
  const config = JSON.parse(readFileSync(join(model, 'tokenizer_config.json'), 'utf8'))
  const loop = '{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}'
  writeFileSync(
    join(model, 'tokenizer_config.json'),
    JSON.stringify({
      ...config,
      chat_template: `{% for m in messages %}{% if m.content == 'abracadabra' %}${loop}{% endif %}{{ m.content }}{% endfor %}`,
    }),
  )
  await kafka.client.topic('texts')
  const daemon = await DaemonProcess.create(join(kafka.directory, 'texts'), {
    ...{ 'stream.brokers': [kafka.broker.bootstrap], 'stream.topic': 'texts', 'stream.groupId': 'texts' },
    ...{ 'batch.size': 4, 'batch.maxLatency': '200ms', 'checkpoint.every': '300ms' },
    ...{ 'model.path': model, 'limits.tokeniseTimeout': '3s', 'limits.maxRecordBytes': '2MiB' },
  })
  onTestFinished(() => daemon.kill())
  daemon.start()
  await daemon.until(({ state }) => state === 'running')

  const long = ['the', 'e', 'How much? ', '返', '!?'].map((word, i) => {
    return said(`${100 + i}`, word.repeat(900_000 / (word === '返' ? 3 : word.length)))
  })
  // a batch each: the broker takes a megabyte at once
  for (const batch of [mixed(0, 6), ...long.map((vote) => [vote]), [said('13', 'abracadabra'), ...mixed(20, 6)]])
    await kafka.client.send('texts', batch)
  let longest = 0
  const alive = async (): Promise<void> => {
    const asked = performance.now()
    expect((await daemon.get('/livez'))?.status).toBe(200)
    longest = Math.max(longest, performance.now() - asked)
  }
  await eventually(async () => {
    await alive()
    return (await daemon.metric('bcod_dead_letters_total{code="TEXT_TIMEOUT"}')) === 1
  })
  await daemon.until(settled)
  expect(longest).toBeLessThan(3_000)
  const before = [...mixed(0, 6), ...long, ...mixed(20, 6)].map(({ key }) => key)
  // steps are in the file once a checkpoint is
  await eventually(() => trainedIds(daemon.journal()).length >= before.length)
  expect(trainedIds(daemon.journal()).sort()).toEqual(before.sort())

  // while the second one is waited for, checkpoints hold it and those behind it
  await kafka.client.send('texts', [...mixed(40, 3), said('14', 'abracadabra'), ...mixed(50, 6)])
  const queued = async () => {
    const latest = await new CheckpointStore(daemon.checkpoints).latest().catch(() => null)
    const { texts } = (latest?.snapshot.pending ?? {}) as StreamSnapshot
    return texts?.votes.map(({ id }) => id) ?? []
  }
  await eventually(async () => (await queued()).includes('55'))
  await daemon.kill()
  expect(await queued()).toEqual(expect.arrayContaining(['14', '50', '51', '52', '53', '54', '55']))
  daemon.start()
  await daemon.until((status) => settled(status) && status.lag[0] === 0)
  const after = [...before, ...[...mixed(40, 3), ...mixed(50, 6)].map(({ key }) => key)]
  expect(await daemon.stop()).toBe(0)
  expect(trainedIds(daemon.journal()).sort()).toEqual(after.sort())
  const letters = await readLetters(kafka.client, 'texts.dlq', { brokers: [kafka.broker.bootstrap] })
  expect(letters.map(({ code, key }) => [code, key])).toEqual([
    ['TEXT_TIMEOUT', '13'],
    ['TEXT_TIMEOUT', '14'],
  ])
}, 180_000)
