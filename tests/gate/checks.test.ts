import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { loadConfig } from '../../src/config/config.js'
import { BcodError } from '../../src/errors.js'
import { readPairs } from '../../src/events/pairs.js'
import { type CheckParts, gateChecks } from '../../src/gate/checks.js'
import { loadTextModel } from '../../src/text/text-model.js'
import type { TextService } from '../../src/text/text-process.js'
import { localText } from '../support/local-text.js'

const directory = mkdtempSync(join(tmpdir(), 'bcod-checks-'))
afterAll(() => rmSync(directory, { recursive: true }))

const text = localText(loadTextModel('src/demo/model')!)

const namesOf = async (set: readonly string[] = [], parts: Partial<CheckParts> = {}) => {
  const config = loadConfig({ env: {}, set: ['model.path=src/demo/model', ...set] })
  const recent = async () => []
  const checks = await gateChecks({
    config,
    text,
    vocabSize: 1024,
    maxLength: 512,
    recent,
    heldOut: async () => [],
    showErrors: false,
    ...parts,
  })
  return checks.map(({ name }) => name)
}

const PROBES = 'src/gate/probes'
const shipped = readdirSync(PROBES).map((file) => file.replace('.jsonl', ''))

describe('the checks of a configuration', () => {
  it('are finite, update_norm and the shipped probes by default', async () => {
    expect(await namesOf()).toEqual(['finite', 'update_norm', ...shipped.map((name) => `probe:${name}`)])
  })

  it('are those on held-out votes as soon as votes are held out', async () => {
    const names = await namesOf(['eval.holdOut=0.05'])
    expect(names.slice(2, 4)).toEqual(['holdout_loss', 'holdout_auc'])
  })

  it('are no probes for a model without a tokenizer, or one that takes a few words only', async () => {
    expect(await namesOf([], { text: null })).toEqual(['finite', 'update_norm'])
    expect(await namesOf([], { maxLength: 8 })).toEqual(['finite', 'update_norm'])
  })

  it('are no shipped probes for a model whose template refuses them; files of your own are an error then', async () => {
    const refusing: TextService = {
      ...text,
      encodePrompt: () => Promise.reject(new BcodError('CHAT_TEMPLATE_FAILED', 'it wants a system message')),
    }
    expect(await namesOf([], { text: refusing })).toEqual(['finite', 'update_norm'])
    const probe = join(directory, 'own.jsonl')
    writeFileSync(probe, '{"prompt": "a", "chosen": "b", "rejected": "c"}')
    await expect(namesOf([`gate.probes=["${probe}"]`], { text: refusing })).rejects.toMatchObject({
      code: 'CHAT_TEMPLATE_FAILED',
      place: `${probe}:1`,
    })
  })

  it('are all that it names, the cheapest first', async () => {
    const row = { prompt: 'a', chosen: 'b', rejected: 'c' }
    const probe = join(directory, 'tone.jsonl')
    writeFileSync(probe, [row, row].map((each) => JSON.stringify(each)).join('\n'))
    const golden = join(directory, 'greeting.jsonl')
    writeFileSync(golden, '{"prompt": "a"}')
    const hooks = [
      'gate.exec=[{"name": "ours", "command": ["true"]}]',
      'gate.webhook=[{"name": "theirs", "url": "http://localhost/"}]',
    ]
    const kl = ['gate.maxKlBase=1', 'gate.maxKlLive=1']
    expect(await namesOf([`gate.probes=["${probe}"]`, `gate.golden=["${golden}"]`, ...hooks, ...kl])).toEqual([
      ...[
        'finite',
        'update_norm',
        'kl_base',
        'kl_live',
        'probe:tone',
        'golden:greeting',
        'exec:ours',
        'webhook:theirs',
      ],
    ])
  })

  it('cannot be had with a bad probe file, with golden prompts and no tokenizer, or with a file that is not there', async () => {
    const probe = join(directory, 'bad.jsonl')
    writeFileSync(probe, '{"prompt": "a"}')
    const set = [`gate.probes=["${probe}"]`]
    await expect(namesOf(set)).rejects.toMatchObject({ code: 'PAIRS_INVALID', place: `${probe}:1 chosen` })
    const golden = namesOf(['gate.golden=["x.jsonl"]'], { text: null })
    await expect(golden).rejects.toMatchObject({ code: 'TEXT_WITHOUT_TOKENIZER' })
    await expect(namesOf(['gate.probes=["/no/such.jsonl"]'])).rejects.toMatchObject({ code: 'FILE_UNREADABLE' })
  })
})

describe.each(shipped)('the shipped probe %s', (name) => {
  it('has 8 to 15 pairs with names of their own, one question to two different answers', async () => {
    const names = new Set<string | null>()
    let rows = 0
    for await (const pair of readPairs(join(PROBES, `${name}.jsonl`), { named: true })) {
      rows += 1
      names.add(pair.name)
      expect(pair.prompt).toMatchObject({ kind: 'messages', messages: [{ role: 'user' }] })
      expect(pair.chosen).not.toEqual(pair.rejected)
    }
    expect(rows).toBeGreaterThanOrEqual(8)
    expect(rows).toBeLessThanOrEqual(15)
    expect(names.size).toBe(rows)
  })
})
