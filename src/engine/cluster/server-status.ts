import { connect } from 'node:http2'
import { fieldsOf } from '../protobuf-wire.js'

/** A device of a server. */
export interface ServerDevice {
  /** As the server names it: `/job:…/replica:0/task:0/device:CPU:0`. */
  readonly name: string
  /** `CPU`, `GPU`. */
  readonly type: string
  /** Chosen anew whenever its process starts. */
  readonly incarnation: bigint
}

const METHOD = '/tensorflow.WorkerService/GetStatus'
/** gRPC's frame of an empty message: not compressed, of length 0. */
const EMPTY = Buffer.alloc(5)
/** A machine has a few devices of some hundred bytes each. */
const MAX_ANSWER = 2 ** 20

/**
 * Asks one of TensorFlow's servers for its devices: one gRPC call to the service that runs programs, without TensorFlow.
 * An answer shows that the server serves, and whose it is.
 *
 * @param address  `host:port`
 * @param timeout  milliseconds
 * @throws Error that says in a few words why there is no answer
 */
export async function serverDevices(address: string, timeout: number): Promise<readonly ServerDevice[]> {
  const answer = await call(address, timeout)
  const frames = answer.length >= 5 ? answer.readUInt32BE(1) : -1
  if (answer[0] !== 0 || frames !== answer.length - 5) throw new Error('what answers is no TensorFlow server')
  try {
    return [...fieldsOf(answer.subarray(5))].flatMap(({ field, value }) =>
      field === 1 && typeof value !== 'bigint' ? [deviceFrom(value)] : [],
    )
  } catch (cause) {
    throw new Error('what answers is no TensorFlow server', { cause })
  }
}

/** The name that a server has given itself; empty if it has no device. */
export const jobOf = ([device]: readonly ServerDevice[]): string => /^\/job:(\w+)\//.exec(device?.name ?? '')?.[1] ?? ''

function call(address: string, timeout: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const session = connect(`http://${address}`)
    const timer = setTimeout(() => end(new Error(`no answer within ${timeout} ms`)), timeout)
    const chunks: Buffer[] = []
    let size = 0
    let isOk = false
    const end = (error?: Error) => {
      clearTimeout(timer)
      session.destroy()
      if (error) reject(error)
      else resolve(Buffer.concat(chunks))
    }
    const broken = ({ code, name }: NodeJS.ErrnoException) => end(new Error(`no connection (${code ?? name})`))
    session.on('error', broken)
    const request = session.request({
      ...{ ':method': 'POST', ':path': METHOD, te: 'trailers' },
      'content-type': 'application/grpc',
    })
    const heed = (headers: Readonly<Record<string, unknown>>) => {
      const { 'grpc-status': status } = headers
      if (status === undefined) return
      if (String(status) === '0') isOk = true
      else end(new Error(`the server refuses with gRPC status ${String(status)}`))
    }
    request.on('response', heed)
    request.on('trailers', heed)
    request.on('data', (chunk: Buffer) => {
      size += chunk.length
      if (size > MAX_ANSWER) end(new Error('what answers is no TensorFlow server'))
      else chunks.push(chunk)
    })
    // of a connection that fails, the call is told first
    request.on('error', (error: Error) => broken((error.cause ?? error) as NodeJS.ErrnoException))
    request.on('close', () => end(isOk ? undefined : new Error('what answers is no TensorFlow server')))
    request.end(EMPTY)
  })
}

/** DeviceAttributes: name = 1, device_type = 2, incarnation = 6. */
function deviceFrom(content: Buffer): ServerDevice {
  const fields = new Map([...fieldsOf(content)].map(({ field, value }) => [field, value]))
  const text = (field: number) => String(fields.get(field) ?? '')
  const incarnation = fields.get(6)
  return {
    name: text(1),
    type: text(2),
    incarnation: Buffer.isBuffer(incarnation) ? incarnation.readBigUInt64LE() : 0n,
  }
}
