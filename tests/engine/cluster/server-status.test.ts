import { once } from 'node:events'
import { createServer as createHttp1 } from 'node:http'
import { createServer as createHttp2, type ServerHttp2Stream } from 'node:http2'
import { type AddressInfo, createServer as createTcp, type Server } from 'node:net'
import { expect, it, onTestFinished } from 'vitest'
import { jobOf, serverDevices } from '../../../src/engine/cluster/server-status.js'
import { bytes, message } from '../../../src/engine/protobuf-wire.js'

async function listening(server: Server | ReturnType<typeof createHttp2>): Promise<string> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  return `127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** A gRPC server that answers everything with these bytes and this status. */
const grpc = (answer: Buffer, status = '0') => {
  const server = createHttp2()
  server.on('stream', (stream: ServerHttp2Stream) => {
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true })
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': status }))
    stream.end(answer)
  })
  return listening(server)
}

const framed = (content: Buffer) => {
  const head = Buffer.alloc(5)
  head.writeUInt32BE(content.length, 1)
  return Buffer.concat([head, content])
}

/** DeviceAttributes with an incarnation of 7. */
const device = (name: string) =>
  bytes(1, message(bytes(1, name), bytes(2, 'CPU'), Buffer.from([0x31, 7, 0, 0, 0, 0, 0, 0, 0])))

it('the devices of a server come with their names, types and incarnations, and say whose they are', async () => {
  const address = await grpc(framed(message(device('/job:w_1/replica:0/task:0/device:CPU:0'))))
  const devices = await serverDevices(address, 5000)
  expect(devices).toEqual([{ name: '/job:w_1/replica:0/task:0/device:CPU:0', type: 'CPU', incarnation: 7n }])
  expect(jobOf(devices)).toBe('w_1')
})

it('a server that is none of TensorFlow’s is told from one', async () => {
  const stranger = /no TensorFlow server/
  for (const answer of [Buffer.alloc(0), Buffer.from('hello'), framed(Buffer.from([0x0a, 99])), framed(Buffer.of(255))])
    await expect(serverDevices(await grpc(answer), 5000)).rejects.toThrow(stranger)
  await expect(serverDevices(await grpc(framed(Buffer.alloc(2 ** 21))), 5000)).rejects.toThrow(stranger)
  await expect(serverDevices(await grpc(Buffer.alloc(0), '12'), 5000)).rejects.toThrow(/gRPC status 12/)
  const http1 = await listening(createHttp1((_, response) => response.end('hello')))
  await expect(serverDevices(http1, 5000)).rejects.toThrow(/no connection|no TensorFlow server/)
})

it('one that is away or silent is given up', async () => {
  const address = await listening(createTcp())
  await expect(serverDevices(address, 50)).rejects.toThrow('no answer within 50 ms')
  const gone = createTcp()
  const was = await listening(gone)
  gone.close()
  await expect(serverDevices(was, 5000)).rejects.toThrow('no connection (ECONNREFUSED)')
})
