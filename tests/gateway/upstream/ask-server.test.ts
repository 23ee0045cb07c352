import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { setImmediate as turn } from 'node:timers/promises'
import { Agent } from 'undici'
import { afterEach, expect, it, onTestFinished } from 'vitest'
import { askServer, type Begun } from '../../../src/gateway/upstream/ask-server.js'

const dispatcher = new Agent()
const never = new AbortController().signal
let closing: (() => unknown)[] = []

afterEach(async () => {
  for (const close of closing) await close()
  closing = []
})

async function ask(handle: RequestListener, signal: AbortSignal = never): Promise<Begun> {
  const server = createServer(handle).listen(0, '127.0.0.1')
  closing.push(() => {
    server.closeAllConnections()
    server.close()
  })
  await once(server, 'listening')
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return askServer(dispatcher, { origin, path: '/', method: 'GET' }, signal)
}

it('what a server writes at once goes on as one piece, and no byte is lost', async () => {
  const { body } = await ask((_, response) => {
    response.writeHead(200)
    for (let i = 0; i < 60; i++) response.write(`data: ${i}\n\n`)
    response.end()
  })
  const pieces: Buffer[] = []
  for await (const piece of body) pieces.push(piece as Buffer)
  expect(Buffer.concat(pieces).toString()).toBe(Array.from({ length: 60 }, (_, i) => `data: ${i}\n\n`).join(''))
  expect(pieces.length).toBeLessThan(10)
  expect(body.readableEnded).toBe(true)
})

it('what is read is what the change makes of it, from the first byte', async () => {
  const { body } = await ask((_, response) => response.end('grüße'))
  // it has come long before anybody reads
  for (let i = 0; i < 20; i++) await turn()
  body.through((piece) => Buffer.from(piece.toString().toUpperCase()))
  expect((await buffer(body)).toString()).toBe('GRÜSSE')
})

it('a reader that stops holds the server, and gets everything later', async () => {
  const size = 64 * 2 ** 20
  let written = 0
  const { body } = await ask((_, response) => {
    response.writeHead(200)
    const more = () => {
      while (written < size) {
        written += 2 ** 16
        if (!response.write(Buffer.alloc(2 ** 16, written / 2 ** 16))) return response.once('drain', more)
      }
      return response.end()
    }
    more()
  })
  await expect.poll(() => written).toBeGreaterThan(2 ** 17)
  // two looks at which nothing has moved
  for (let before = -1; before !== written; await new Promise((wake) => setTimeout(wake, 300))) before = written
  expect(written).toBeLessThan(size / 2)
  let read = 0
  for await (const piece of body) read += (piece as Buffer).length
  expect(read).toBe(size)
})

it('hints that come before an answer are not the answer', async () => {
  const { status, body } = await ask((_, response) => {
    response.writeEarlyHints({ link: '</style.css>; rel=preload' })
    response.writeHead(201)
    response.end('made')
  })
  expect(status).toBe(201)
  expect((await buffer(body)).toString()).toBe('made')
})

it('a server that dies leaves what it has sent, and an error', async () => {
  const { body } = await ask((_, response) => {
    response.writeHead(200)
    response.write('half', () => response.destroy())
  })
  const pieces: Buffer[] = []
  body.on('data', (piece: Buffer) => pieces.push(piece))
  const [error] = (await once(body, 'error')) as [NodeJS.ErrnoException]
  expect(error.code).toBe('UND_ERR_SOCKET')
  expect(Buffer.concat(pieces).toString()).toBe('half')
  expect(body.readableEnded).toBe(false)
})

it.each(['before', 'after'] as const)('a client that leaves %s the answer has begun ends the work', async (when) => {
  const left = new AbortController()
  let isClosed = false
  const asked = ask((_, response) => {
    response.once('close', () => {
      isClosed = true
    })
    if (when === 'after') response.write('half')
    else left.abort(new Error('left'))
  }, left.signal)
  if (when === 'before') await expect(asked).rejects.toThrow('left')
  else {
    const { body } = await asked
    onTestFinished(() => void body.destroy())
    body.resume().destroy()
  }
  await expect.poll(() => isClosed).toBe(true)
})

it('nothing is asked for a client that has left', async () => {
  let isAsked = false
  const handle: RequestListener = () => {
    isAsked = true
  }
  await expect(ask(handle, AbortSignal.abort(new Error('left')))).rejects.toThrow('left')
  expect(isAsked).toBe(false)
})
