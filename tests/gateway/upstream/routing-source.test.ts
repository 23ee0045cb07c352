import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fastify from 'fastify'
import { NEVER } from 'rxjs'
import { expect, it, onTestFinished } from 'vitest'
import { loadConfig } from '../../../src/config/config.js'
import { routingAt, routingIn } from '../../../src/gateway/upstream/routing-source.js'
import { StatusServer } from '../../../src/server/server.js'

/** The port of a daemon. */
async function daemonWith(routing: object | null): Promise<string> {
  const server = new StatusServer(
    { host: '127.0.0.1', port: 0, adminToken: null },
    {
      ...{ metrics: async () => '', live: () => [], ready: () => [], status: () => ({}), history: () => ({}) },
      ...{ tap$: NEVER, routing: () => routing },
    },
  )
  const port = await server.listen()
  onTestFinished(() => server.close())
  return `http://127.0.0.1:${port}/routing`
}

it('a daemon that has published nothing is there: nothing answers by arm yet', async () => {
  expect(await routingAt(await daemonWith(null))()).toBe(null)
})

it('a daemon that has published says which version answers whom', async () => {
  const routing = { generation: 1, name: 'bcod', arms: [], salt: 's' }
  expect(JSON.parse((await routingAt(await daemonWith(routing))())!)).toEqual(routing)
})

it('another answer is an error', async () => {
  const server = fastify()
  onTestFinished(() => server.close().then(() => undefined))
  await expect(routingAt(`${await server.listen({ port: 0 })}/routing`)()).rejects.toMatchObject({
    code: 'ROUTING_UNREADABLE',
  })
})

it('the directory of the registry, or nothing, if no daemon is named', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'bcod-routing-'))
  const { adapters } = loadConfig({ env: {}, set: [`adapters.dir=${dir}`] })
  const read = routingIn(adapters)!
  expect(await read()).toBe(null)
  writeFileSync(join(dir, 'routing.json'), '{}')
  expect(await read()).toBe('{}')
  expect(routingIn(loadConfig({ env: {} }).adapters)).toBe(null)
})
