import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, expect, it, onTestFinished } from 'vitest'
import { loadConfig } from '../../src/config/config.js'
import { requireFor } from '../../src/config/requirements.js'
import { Gateway } from '../../src/gateway/gateway.js'
import { Routes } from '../../src/gateway/upstream/routes.js'
import { GatewayMetrics } from '../../src/telemetry/gateway-metrics.js'
import { createLogger } from '../../src/telemetry/logger.js'
import { VERSION } from '../../src/telemetry/version.js'
import { StandInUpstream } from '../support/upstream.js'

/** Nobody listens there. */
const NOWHERE = '127.0.0.1:1'
const ARMS = [{ name: 'live', version: 'v00000012', model: 'bcod-v00000012', share: 1 }]

let adapters: string
beforeEach(() => {
  adapters = mkdtempSync(join(tmpdir(), 'bcod-readiness-'))
  const routing = { generation: 3, name: 'bcod', salt: 'pepper', arms: ARMS }
  writeFileSync(join(adapters, 'routing.json'), JSON.stringify(routing))
})

/** Without a Kafka. */
async function gateway(upstream: string) {
  const settings = {
    ...{ 'gateway.upstreams': upstream, 'gateway.port': 0, 'server.port': 0, 'adapters.dir': adapters },
    ...{ 'stream.brokers': NOWHERE, 'stream.topic': 'feedback', 'gateway.userSalt': 'a salt that is long enough' },
  }
  const set = Object.entries(settings).map(([key, value]) => `${key}=${value}`)
  const config = requireFor(loadConfig({ set, env: {} }), 'gateway')
  const metrics = new GatewayMetrics()
  const gateway = new Gateway(config, metrics, createLogger('silent'))
  const { port, statusPort } = await gateway.listen()
  onTestFinished(() => gateway.close())
  const look = async (path: string) => {
    const answer = await fetch(`http://127.0.0.1:${statusPort}${path}`)
    return { status: answer.status, body: await answer.json() }
  }
  const ask = () => fetch(`http://127.0.0.1:${port}/v1/chat/completions`, { method: 'POST', body: '{}' })
  return { look, ask, metrics }
}

it('answers, and is ready, without Kafka; and says what it has and has not', async () => {
  const upstream = await StandInUpstream.start()
  onTestFinished(() => upstream.close())
  const { look, ask, metrics } = await gateway(upstream.url)
  expect(await look('/readyz')).toEqual({ status: 200, body: { ready: true } })
  expect((await ask()).status).toBe(200)
  const { host } = new URL(upstream.url)
  expect(await look('/status')).toEqual({
    status: 200,
    body: {
      ...{ version: VERSION, ready: true, log: 'down' },
      routing: { readable: true, generation: 3, arms: ARMS },
      upstreams: [{ name: host, healthy: true, requests: 0 }],
    },
  })
  expect(await metrics.text()).toMatch(/^bcod_gateway_routing_up 1$/m)
})

it('is not ready before a server of the model has answered', async () => {
  const { look } = await gateway(`http://${NOWHERE}`)
  expect(await look('/readyz')).toEqual({ status: 503, body: { ready: false } })
  expect(await look('/livez')).toMatchObject({ status: 200 })
})

it('stays ready when the only server goes: without it no replica has an answer, and votes still come', async () => {
  const upstream = await StandInUpstream.start()
  const { look, ask } = await gateway(upstream.url)
  expect((await look('/readyz')).status).toBe(200)
  await upstream.close()
  expect((await ask()).status).toBe(502)
  expect((await look('/status')).body).toMatchObject({ ready: true, upstreams: [{ healthy: false }] })
})

it('a routing that cannot be read is waited for, but not for ever', async () => {
  const read = () => Promise.reject(new Error('the daemon is away'))
  const [patient, impatient] = [Number.POSITIVE_INFINITY, 0].map((patience) => {
    return new Routes({ read, model: null, patience })
  }) as [Routes, Routes]
  for (const routes of [patient, impatient]) {
    onTestFinished(() => routes.close())
    await routes.start()
    expect(routes.isReadable).toBe(false)
  }
  expect([patient.isKnown, impatient.isKnown]).toEqual([false, true])
})
