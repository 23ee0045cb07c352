import { Ajv2020 } from 'ajv/dist/2020.js'
import { describe, expect, it } from 'vitest'
import { loadConfig } from '../../src/config/config.js'
import { jsonSchema } from '../../src/config/json-schema.js'
import { showConfig } from '../../src/config/show.js'
import { nest } from '../../src/config/tree.js'
import { refusal } from './scratch.js'

describe('the JSON Schema', () => {
  const accepts = new Ajv2020({ strict: true, allowUnionTypes: true }).compile(jsonSchema())

  it('takes the shown defaults', () => {
    expect(accepts(showConfig(loadConfig({ env: {} })))).toBe(true)
  })

  it.each([
    ['optimizer.lr', -1],
    ['bco.mode', 'dpo'],
    ['batch.maxLatency', 30],
    ['batch.size', 1.5],
    ['ratio.min', 0],
    ['optimizer.beta1', 1],
    ['lora.targets', []],
    ['lora.targets', ['lm_head']],
    ['stream.brokers', ['a', 'a']],
    ['log.levle', 'info'],
    ['stream.pendingBytes', '64 MiB'],
    ['stream.topic', ''],
  ])('refuses %s = %j, as loading does', (key, value) => {
    expect(accepts(nest([[key, value]]))).toBe(false)
    refusal(() => loadConfig({ env: {}, defaults: nest([[key, value]]) }))
  })

  it('marks secrets as write-only', () => {
    expect(jsonSchema()).toHaveProperty('properties.server.properties.adminToken.writeOnly', true)
  })
})
