import { expect, it } from 'vitest'
import { checkServers } from '../../../src/cli/check/servers.js'
import { loadConfig } from '../../../src/config/config.js'
import { RecordedVllm } from '../../support/recorded-vllm.js'

async function findings(server: RecordedVllm, publish: Record<string, unknown> = {}, ...set: string[]) {
  const targets = [{ kind: 'vllm', urls: [server.url] }]
  const config = loadConfig({ env: {}, set, defaults: { publish: { targets, ...publish } } })
  return (await checkServers(config)).map(({ status, detail }) => `${status} ${detail}`)
}

it('a server that is as it should be passes; its /adapters is open all the same', async () => {
  const server = await RecordedVllm.start({ apiKey: 'sesame' })
  server.adapters.set('bcod-v00000010', '/state/adapters/v00000010').set('mine', '/mine')
  expect(await findings(server, { apiKey: 'sesame' })).toEqual([
    'ok base model demo, v00000010',
    'warn POST and DELETE /adapters load and unload adapters without the API key',
  ])
  expect([...server.adapters.keys()]).toEqual(['bcod-v00000010', 'mine'])
})

it('a server behind a proxy that passes /v1 alone has no more to tell', async () => {
  const server = Object.assign(await RecordedVllm.start({ apiKey: 'sesame' }), { hasAdaptersRoute: false })
  expect(await findings(server, { apiKey: 'sesame' })).toEqual(['ok base model demo, no version yet'])
})

it('what is set wrongly at the server is told', async () => {
  const server = Object.assign(await RecordedVllm.start(), { loadsAtRunTime: false, maxLoras: 1 })
  expect(await findings(server)).toEqual([
    'ok base model demo, no version yet',
    'fail it loads no adapters while it runs',
    'warn --max-loras is 1: requests for a new version wait until all on the old one have ended',
    'warn it asks for no API key: whoever reaches it may load adapters',
  ])
})

it('with a canary a server needs room for one version more', async () => {
  const server = await RecordedVllm.start({ apiKey: 'sesame' })
  server.hasAdaptersRoute = false
  expect(await findings(server, { apiKey: 'sesame' }, 'canary.share=0.1')).toEqual([
    'ok base model demo, no version yet',
    'warn --max-loras is 2: requests for a new version wait until all on the old one have ended',
  ])
})

it('a server that hangs, or takes another key, fails with its code', async () => {
  const server = await RecordedVllm.start({ apiKey: 'sesame' })
  expect(await findings(server, { apiKey: 'wrong' })).toEqual([
    `fail SERVING_UNAUTHORIZED ${server.url}: status 401 to GET /v1/models`,
  ])
  server.fault = 'hangs'
  expect(await findings(server, { timeout: '300ms' })).toEqual([
    `fail SERVING_UNREACHABLE ${server.url}: no answer within 300 ms`,
  ])
})
