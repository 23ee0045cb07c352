import { cpSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { takeFence } from '../../src/checkpoint/fence.js'
import { hashOlderTokenizer, hashTokenizer } from '../../src/checkpoint/identity.js'
import type { JsonValue } from '../../src/checkpoint/json.js'
import { CheckpointStore } from '../../src/checkpoint/store.js'
import { loadConfig } from '../../src/config/config.js'
import { hashModelDirectory } from '../../src/safetensors/model-identity.js'
import { lineageSettings } from '../../src/training/learning-config.js'
import { inspectLineage } from '../../src/training/recovery.js'
import { sampleSnapshot, temporaryDirectory } from '../support/checkpoints.js'

/** A model with a tokenizer, and a checkpoint that was made with it and these settings. */
async function lineage(set: readonly string[], older: 'older' | 'now' = 'now') {
  const model = temporaryDirectory()
  cpSync('tests/golden/tiny_llama', model, { recursive: true })
  cpSync('tests/golden/chat', model, { recursive: true })
  const checkpoints = temporaryDirectory()
  const configOf = (settings: readonly string[]) =>
    loadConfig({ env: {}, set: [`model.path=${model}`, `checkpoint.dir=${checkpoints}`, ...settings] })
  const store = new CheckpointStore(checkpoints)
  const start = (settings: readonly string[]) => inspectLineage(configOf(settings), model, store)
  const made = JSON.parse(JSON.stringify(lineageSettings(configOf(set)))) as {
    config: { model: Record<string, JsonValue> }
  }
  if (older === 'older') delete made.config.model.chatTemplateKwargs
  await start(set)
  takeFence(checkpoints)
  const write = async () => {
    const tokenizer = await (older === 'older' ? hashOlderTokenizer(model) : hashTokenizer(model))
    const identities = { base: await hashModelDirectory(model), tokenizer, config: 'c' }
    await store.write(sampleSnapshot(1, { identities, extra: made as unknown as JsonValue }))
  }
  return { model, start, write }
}

const THINKING = 'model.chatTemplateKwargs={"enable_thinking":true}'
const settingsChanged = (place: string) => ({ code: 'CHECKPOINT_SETTINGS_CHANGED', place })

test('a lineage goes on with the settings of its texts, and is refused with others', async () => {
  const { start, write } = await lineage([THINKING])
  await write()
  await expect(start([THINKING])).resolves.toBeDefined()
  await expect(start([])).rejects.toMatchObject(settingsChanged('model.chatTemplateKwargs'))
  await expect(start([THINKING, 'model.chatTemplate=other'])).rejects.toMatchObject(
    settingsChanged('model.chatTemplate'),
  )
})

test('a lineage is refused when chat_template.json has changed', async () => {
  const { model, start, write } = await lineage([])
  const file = join(model, 'chat_template.json')
  writeFileSync(file, '{"chat_template": "{{ messages[0].content }}"}')
  await write()
  await expect(start([])).resolves.toBeDefined()
  writeFileSync(file, '{"chat_template": "{{ messages[0].role }}"}')
  await expect(start([])).rejects.toMatchObject({ code: 'CHECKPOINT_MODEL_MISMATCH' })
})

test('a checkpoint of an older version, which does not say how text was rendered, can still be loaded', async () => {
  const { model, start, write } = await lineage([], 'older')
  writeFileSync(join(model, 'chat_template.json'), '{"chat_template": "{{ messages[0].content }}"}')
  await write()
  await expect(start([THINKING])).resolves.toBeDefined()
})
