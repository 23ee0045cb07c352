import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { webhookCheck } from '../../../src/gate/hooks/webhook.js'
import { subjectOf } from '../subject.js'

let server: Server | null = null
afterEach(() => {
  server?.closeAllConnections()
  server?.close()
  server = null
})

async function run(answer: RequestListener, timeout = 20_000, signal = new AbortController().signal) {
  server = createServer(answer)
  await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/gate`
  return webhookCheck('team', { url, token: 'k3y', model: '/model', timeout }).run(subjectOf({}, { signal }))
}

describe('a service of the team', () => {
  it('gets the versions and the token, and its verdict is the finding', async () => {
    let seen: unknown
    const found = await run((request, response) => {
      const chunks: Buffer[] = []
      request.on('data', (chunk: Buffer) => chunks.push(chunk))
      request.on('end', () => {
        seen = [request.method, request.headers.authorization, JSON.parse(Buffer.concat(chunks).toString())]
        response.end('{"outcome": "passed", "value": 0.9}')
      })
    })
    expect(found).toMatchObject({ outcome: 'passed', value: 0.9 })
    expect(seen).toMatchObject(['POST', 'Bearer k3y', { check: 'webhook:team', candidate: { version: 'v00000020' } }])
  })

  it.each<readonly [string, RequestListener, string]>([
    ['fails', (_, r) => void r.writeHead(500).end('x'), 'GATE_HOOK_FAILED webhook:team: it answered with status 500'],
    [
      'redirects',
      (_, r) => void r.writeHead(302, { location: '/elsewhere' }).end(),
      'GATE_HOOK_FAILED webhook:team: it answered with status 302',
    ],
    ['breaks off', (_, r) => void r.destroy(), 'GATE_HOOK_FAILED webhook:team: no connection (ECONNRESET)'],
    ['answers rubbish', (_, r) => void r.end('<html>'), 'GATE_HOOK_INVALID webhook:team: the answer is not JSON'],
    [
      'answers without end',
      (_, r) => void r.write('x'.repeat(70_000)),
      'GATE_HOOK_INVALID webhook:team: its answer has more than 65536 bytes',
    ],
  ])('that %s is a coded error', async (_, answer, line) => {
    await expect(run(answer)).rejects.toMatchObject({ line })
  })

  it.each<readonly [string, RequestListener]>([
    ['before its answer', () => undefined],
    ['within it', (_, response) => void response.write('{')],
  ])('that hangs %s is a coded error', async (_, answer) => {
    await expect(run(answer, 300)).rejects.toMatchObject({
      line: 'GATE_HOOK_TIMEOUT webhook:team: no answer within 300 ms',
    })
  })

  it('that is not there is a coded error', async () => {
    const check = webhookCheck('team', { url: 'http://127.0.0.1:1/', token: null, model: '/m', timeout: 5_000 })
    await expect(check.run(subjectOf({}))).rejects.toMatchObject({
      line: 'GATE_HOOK_FAILED webhook:team: no connection (ECONNREFUSED)',
    })
  })

  it('is left alone when the gate is stopped', async () => {
    const stop = new AbortController()
    setTimeout(() => stop.abort(new Error('stopped')), 100)
    await expect(run(() => undefined, 20_000, stop.signal)).rejects.toThrow('stopped')
  })
})
