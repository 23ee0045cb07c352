import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fastify from 'fastify'
import { NEVER } from 'rxjs'
import { expect, it, onTestFinished } from 'vitest'
import { loadConfig } from '../../../src/config/config.js'
import { routingAt, routingIn, routingOf } from '../../../src/gateway/upstream/routing-source.js'
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

it('the registry of a daemon that is away, or loads, says what it last published; a daemon that answers is asked first', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'bcod-routing-'))
  writeFileSync(join(dir, 'routing.json'), '{"from":"registry"}')
  const saidBy = async (url: string, ...registry: readonly string[]) =>
    routingOf(
      loadConfig({ env: {}, set: [`gateway.routing=${url}`, ...registry.map((each) => `adapters.dir=${each}`)] }),
    )!()
  const [away, loading] = ['http://127.0.0.1:1/routing', await daemonWith(null)]
  for (const url of [away, loading]) expect(await saidBy(url, dir)).toBe('{"from":"registry"}')
  expect(JSON.parse((await saidBy(await daemonWith({ from: 'daemon' }), dir))!)).toEqual({ from: 'daemon' })
  await expect(saidBy(away)).rejects.toBeDefined()
})
