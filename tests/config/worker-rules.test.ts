import { describe, expect, it } from 'vitest'
import { loadConfig } from '../../src/config/config.js'
import { refusal } from './scratch.js'

const load = (...set: readonly string[]) => loadConfig({ set, env: {} })

describe('worker.address', () => {
  it.each(['127.0.0.1', '10.1.2.3', '::1', 'fd00::7'])('may be %s', (address) => {
    expect(load(`worker.address=${address}`).worker.address).toBe(address)
  })

  it.each(['0.0.0.0', '::', '0::0', '0:0:0:0:0:0:0:0', '::ffff:0.0.0.0', '::0.0.0.0'])(
    'is not every address, %s, unless that is admitted by name',
    (address) => {
      const error = refusal(() => load(`worker.address=${address}`))
      expect(error).toMatchObject({ code: 'CONFIG_INVALID', place: 'worker.address' })
      expect(error.message).toContain('worker.admitAnyNetwork=true')
      expect(load(`worker.address=${address}`, 'worker.admitAnyNetwork=true').worker.address).toBe(address)
    },
  )

  it.each(['localhost', '10.1', '10.1.2.3:2222', '[::1]', 'fe80::1%eth0'])('is an address and not %s', (address) => {
    expect(refusal(() => load(`worker.address=${address}`))).toMatchObject({ place: 'worker.address' })
  })
})

it('a worker has two ports', () => {
  expect(refusal(() => load('worker.port=4000', 'worker.probePort=4000'))).toMatchObject({ place: 'worker.probePort' })
})

describe('leader.address', () => {
  it.each(['127.0.0.1', '10.1.2.3', 'fd00::7'])('may be %s', (address) => {
    expect(load(`leader.address=${address}`).leader.address).toBe(address)
  })

  it.each(['0.0.0.0', '::', '::0.0.0.0', 'localhost', '10.1.2.3:2222', 'fe80::1%eth0'])('may not be %s', (address) => {
    const set = [`leader.address=${address}`, 'worker.admitAnyNetwork=true']
    expect(refusal(() => load(...set))).toMatchObject({ code: 'CONFIG_INVALID', place: 'leader.address' })
  })
})
