import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { createServer, type IncomingMessage, request as openHttp, type Server, type ServerResponse } from 'node:http'
import { type AddressInfo, createServer as createTcpServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findS3Server } from '../../scripts/s3-server.mjs'
import { Bucket } from '../../src/s3/bucket.js'

/** The bucket tests run against a real server only where it may be built: `make s3-test`. */
export const HAS_S3 = process.env.BCOD_TEST_S3 !== undefined

export const CREDENTIALS = { accessKeyId: 'tests', secretAccessKey: 'of-the-registry', sessionToken: null }
export const BUCKET = 'adapters'

export interface S3Server {
  /** Base URL. */
  readonly url: string
  /** Folder with the objects of the bucket, as files. */
  readonly objects: string
  stop(): Promise<void>
}

/** Starts versitygw with one empty bucket in a folder of its own. */
export async function startS3Server(): Promise<S3Server> {
  const { program, reason } = findS3Server()
  if (program === null) throw new Error(reason ?? '')
  const home = mkdtempSync(join(tmpdir(), 'bcod-s3-'))
  mkdirSync(join(home, 'buckets', BUCKET), { recursive: true })
  mkdirSync(join(home, 'metadata'))
  const port = await freePort()
  const { accessKeyId, secretAccessKey } = CREDENTIALS
  const login = ['--access', accessKeyId, '--secret', secretAccessKey]
  const store = ['posix', '--sidecar', join(home, 'metadata'), join(home, 'buckets')]
  const child = spawn(program, ['--port', `127.0.0.1:${port}`, ...login, '--quiet', ...store], { stdio: 'ignore' })
  const url = `http://127.0.0.1:${port}`
  const stop = async () => {
    child.kill('SIGKILL')
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
    rmSync(home, { recursive: true, force: true })
  }
  for (let tries = 0; tries < 200; tries++) {
    if (
      await fetch(url).then(
        () => true,
        () => false,
      )
    )
      return { url, objects: join(home, 'buckets', BUCKET), stop }
    if (child.exitCode !== null) throw new Error(`versitygw ended with ${child.exitCode}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  await stop()
  throw new Error('versitygw does not answer')
}

/** A prefix of its own in the bucket. */
export const bucketAt = (endpoint: string, prefix = `${randomBytes(6).toString('hex')}/`, timeout = 10_000): Bucket =>
  new Bucket({
    ...{ bucket: BUCKET, prefix, endpoint, region: 'us-east-1', pathStyle: true, timeout, credentials: CREDENTIALS },
  })

/** What becomes of a request: `through` = it is answered; `lost` = the server does it, and the answer is lost. */
export type Fault = 'through' | 'lost' | 200 | 503 | 429 | 'silent'

/** A proxy in front of a server that makes requests fail. */
export class FaultyProxy {
  readonly #server: Server
  /** Method and path with query, of each request. */
  readonly seen: string[] = []
  /** Decides the fate of each request. */
  fate: (method: string, url: string, headers: IncomingMessage['headers']) => Fault | Promise<Fault> = () => 'through'

  private constructor(private readonly target: URL) {
    this.#server = createServer((request, response) => void this.#pass(request, response))
  }

  static async start(target: string): Promise<FaultyProxy> {
    const proxy = new FaultyProxy(new URL(target))
    proxy.#server.listen(0, '127.0.0.1')
    await once(proxy.#server, 'listening')
    return proxy
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  close(): void {
    this.#server.closeAllConnections()
    this.#server.close()
  }

  async #pass(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = '', url = '', headers } = request
    this.seen.push(`${method} ${url}`)
    const chunks: Buffer[] = []
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk)
    const fate = await this.fate(method, url, headers)
    if (fate === 'silent') return
    if (typeof fate === 'number') {
      response.writeHead(fate).end('<Error><Code>SlowDown</Code></Error>')
      return
    }
    const { hostname, port } = this.target
    // the signature holds for the host that the client has named
    const onward = openHttp({ hostname, port, method, path: url, headers, agent: false }, (answer) => {
      if (fate === 'lost') {
        answer.resume().on('end', () => request.socket.destroy())
        return
      }
      response.writeHead(answer.statusCode ?? 0, answer.headers)
      answer.pipe(response)
    })
    onward.end(Buffer.concat(chunks))
  }
}

async function freePort(): Promise<number> {
  const server = createTcpServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  return port
}
