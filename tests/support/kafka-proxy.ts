import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'

/** One request as it stands on the wire: https://kafka.apache.org/protocol.html#protocol_messages. */
export interface ProxiedRequest {
  readonly apiKey: number
  readonly apiVersion: number
}

/** `null`: as the broker does it. `'close'`: the connection ends. `'silence'`: no answer. Bytes: the answer's body. */
export type Interference = null | 'close' | 'silence' | Buffer

export const API = {
  metadata: 3,
  listOffsets: 2,
  describeGroups: 15,
  apiVersions: 18,
  createTopics: 19,
  describeConfigs: 32,
}

/**
 * Stands before a real broker as hosted services do: leaves APIs or versions out of its list, refuses requests, and
 * changes answers. The broker must advertise the proxy's address.
 */
export class KafkaProxy {
  /** The newest version of an API that it owns up to; −1: none. */
  readonly newest = new Map<number, number>()
  request: (request: ProxiedRequest) => Interference = () => null
  /** Changes the body of an answer in place or gives another one. */
  answer: (request: ProxiedRequest, body: Buffer) => Buffer = (_, body) => body
  private readonly sockets = new Set<Socket>()

  private constructor(
    private readonly server: Server,
    readonly port: number,
    private readonly target: { port: number },
  ) {}

  static async start(): Promise<KafkaProxy> {
    const target = { port: 0 }
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const proxy = new KafkaProxy(server, (server.address() as AddressInfo).port, target)
    server.on('connection', (client) => proxy.#serve(client))
    return proxy
  }

  get bootstrap(): string {
    return `127.0.0.1:${this.port}`
  }

  leadsTo(port: number): void {
    this.target.port = port
  }

  /** Behaves as the broker itself from now on, towards those who connect anew also with its list of APIs. */
  reset(): void {
    this.newest.clear()
    this.request = () => null
    this.answer = (_, body) => body
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy()
    await new Promise((resolve) => this.server.close(resolve))
  }

  #serve(client: Socket): void {
    const broker = connect(this.target.port, '127.0.0.1')
    const waiting = new Map<number, ProxiedRequest>()
    for (const socket of [client, broker]) {
      this.sockets.add(socket)
      socket.on('error', () => undefined)
      socket.on('close', () => {
        this.sockets.delete(socket)
        client.destroy()
        broker.destroy()
      })
    }
    client.on(
      'data',
      frames((frame) => {
        const request = { apiKey: frame.readInt16BE(0), apiVersion: frame.readInt16BE(2) }
        const correlation = frame.readInt32BE(4)
        const interference = this.request(request)
        if (interference === 'close') client.destroy()
        else if (interference === 'silence') return
        else if (interference !== null) client.write(framed(correlation, interference))
        else {
          waiting.set(correlation, request)
          broker.write(withLength(frame))
        }
      }),
    )
    broker.on(
      'data',
      frames((frame) => {
        const correlation = frame.readInt32BE(0)
        const request = waiting.get(correlation) as ProxiedRequest
        waiting.delete(correlation)
        const body = frame.subarray(4)
        const changed = request.apiKey === API.apiVersions ? this.#listed(request, body) : body
        client.write(framed(correlation, this.answer(request, changed)))
      }),
    )
  }

  /** The list of APIs of ApiVersions 0 to 2: error, then (key, oldest, newest) each of 16 bits. */
  #listed({ apiVersion }: ProxiedRequest, body: Buffer): Buffer {
    if (apiVersion > 2) return body
    const count = body.readInt32BE(2)
    const entries = Array.from({ length: count }, (_, i) => body.subarray(6 + 6 * i, 12 + 6 * i))
    const kept = entries.filter((entry) => this.newest.get(entry.readInt16BE(0)) !== -1)
    for (const entry of kept) {
      const newest = this.newest.get(entry.readInt16BE(0))
      if (newest !== undefined) entry.writeInt16BE(Math.min(newest, entry.readInt16BE(4)), 4)
    }
    const head = Buffer.from(body.subarray(0, 6))
    head.writeInt32BE(kept.length, 2)
    return Buffer.concat([head, ...kept, body.subarray(6 + 6 * count)])
  }
}

/** Calls back with each frame, without its length. */
function frames(each: (frame: Buffer) => void): (chunk: Buffer) => void {
  let rest: Buffer = Buffer.alloc(0)
  return (chunk) => {
    rest = Buffer.concat([rest, chunk])
    while (rest.length >= 4 && rest.length >= 4 + rest.readInt32BE(0)) {
      const end = 4 + rest.readInt32BE(0)
      each(rest.subarray(4, end))
      rest = rest.subarray(end)
    }
  }
}

function withLength(frame: Buffer): Buffer {
  const length = Buffer.alloc(4)
  length.writeInt32BE(frame.length)
  return Buffer.concat([length, frame])
}

function framed(correlation: number, body: Buffer): Buffer {
  const head = Buffer.alloc(4)
  head.writeInt32BE(correlation)
  return withLength(Buffer.concat([head, body]))
}
