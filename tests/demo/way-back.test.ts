import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { loadConfig } from '../../src/config/config.js'
import { requireFor } from '../../src/config/requirements.js'
import { goBackTo } from '../../src/demo/way-back.js'
import { temporaryDirectory } from '../support/checkpoints.js'

test('checkpoints and versions that are newer go aside; older ones, aliases, moves, journal and fence stay', () => {
  const root = temporaryDirectory()
  const [checkpoints, adapters] = [join(root, 'checkpoints'), join(root, 'adapters')]
  for (const step of ['00000140', '00000150', '00000186']) {
    mkdirSync(join(checkpoints, `step-${step}`), { recursive: true })
    mkdirSync(join(adapters, `v${step}`), { recursive: true })
  }
  mkdirSync(join(adapters, 'moves'))
  for (const path of [join(checkpoints, 'journal.jsonl'), join(checkpoints, 'fence-00000002'), join(adapters, 'live')])
    writeFileSync(path, '')
  const set = [`checkpoint.dir=${checkpoints}`, `adapters.dir=${adapters}`, 'stream.topic=t', 'stream.brokers=["b:1"]']
  const config = requireFor(loadConfig({ env: {}, set: [...set, 'model.path=m'] }), 'run')

  goBackTo('v00000150', config)
  expect(readdirSync(checkpoints)).toEqual(['fence-00000002', 'journal.jsonl', 'step-00000140', 'step-00000150'])
  expect(readdirSync(adapters)).toEqual(['live', 'moves', 'v00000140', 'v00000150'])
  expect(readdirSync(`${checkpoints}-abandoned`)).toEqual(['step-00000186'])
  expect(readdirSync(`${adapters}-abandoned`)).toEqual(['v00000186'])

  goBackTo('v00000140', config)
  expect(readdirSync(adapters)).toEqual(['live', 'moves', 'v00000140'])
  expect(readdirSync(`${adapters}-abandoned`)).toEqual(['v00000150', 'v00000186'])
})
