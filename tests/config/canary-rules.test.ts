import { expect, it } from 'vitest'
import { loadConfig } from '../../src/config/config.js'
import { refusal } from './scratch.js'

const load = (...set: string[]) => loadConfig({ env: {}, set })

it('by default there is no canary and no control', () => {
  expect(load().canary).toMatchObject({ share: 0, controlShare: 0, control: 'base', baseModel: null })
})

it.each([
  ['canary.share=0.5 canary.controlShare=0.45', 'canary.share: expected at most 0.9 with canary.controlShare'],
  ['canary.control=v12', 'canary.control: expected base, or a version such as v00001234'],
  ['canary.controlShare=0.1', 'canary.baseModel: required with canary.controlShare'],
  ['canary.margin=0', 'canary.margin: expected'],
  ['canary.alpha=1', 'canary.alpha: expected'],
])('%s is refused', (set, text) => {
  const { code, place, message } = refusal(() => load(...set.split(' ')))
  expect(code).toBe('CONFIG_INVALID')
  expect(`${place}: ${message}`).toContain(text)
})

it('the base needs no name if servers can be asked for it, or if control is a version', () => {
  const servers = 'publish.targets=[{"kind": "vllm", "urls": ["http://host:8000"]}]'
  expect(load('canary.controlShare=0.1', servers).canary.controlShare).toBe(0.1)
  expect(load('canary.controlShare=0.1', 'canary.control=v00000012').canary.control).toBe('v00000012')
  expect(load('canary.controlShare=0.1', 'canary.baseModel=llama').canary.baseModel).toBe('llama')
})
