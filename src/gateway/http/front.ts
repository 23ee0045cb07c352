import { setTimeout as sleep } from 'node:timers/promises'
import cors from '@fastify/cors'
import Fastify, { type FastifyInstance } from 'fastify'
import { bindError } from '../../server/bind-error.js'
import type { GatewayMetrics } from '../../telemetry/gateway-metrics.js'
import type { GatewayStatus } from '../status.js'

export interface FrontOptions {
  readonly maxBodyBytes: number
  /** Origins of pages that may ask and vote. */
  readonly corsOrigins: readonly string[]
  /** A connection on which nothing has moved for this long is closed: its client has stopped reading. Milliseconds. */
  readonly idleTimeout: number
  readonly metrics: GatewayMetrics
}

/** A request that has not arrived whole by then is given up. */
const REQUEST_MS = 120_000
/** Longer than a load balancer keeps a connection that is idle. */
const KEEP_ALIVE_MS = 75_000

/** What follows at once on the connection of a last answer, such as a vote on it, is taken too. */
const LINGER_MS = 1000

/** The port that applications and browsers use. */
export async function frontOf(options: FrontOptions): Promise<FastifyInstance> {
  const { maxBodyBytes, corsOrigins, idleTimeout, metrics } = options
  const fastify = Fastify({
    ...{ bodyLimit: maxBodyBytes, requestTimeout: REQUEST_MS, keepAliveTimeout: KEEP_ALIVE_MS },
    ...{ connectionTimeout: idleTimeout, forceCloseConnections: 'idle' },
    // what comes on a connection that is about to close is answered too
    return503OnClosing: false,
  })
  if (corsOrigins.length > 0)
    await fastify.register(cors, {
      origin: [...corsOrigins],
      exposedHeaders: ['x-bcod-vote', 'x-bcod-adapter', 'retry-after'],
    })
  fastify.addHook('onResponse', async ({ routeOptions }, { statusCode }) => {
    metrics.requests.inc({ route: routeOptions.url ?? 'other', status: String(statusCode) })
  })
  return fastify
}

/** The port that Kubernetes and Prometheus use: nobody outside should reach it. */
export function backOf(metrics: GatewayMetrics, status: () => GatewayStatus): FastifyInstance {
  const fastify = Fastify()
  fastify.get('/livez', async () => ({ alive: true }))
  fastify.get('/readyz', async (_, reply) => {
    const { ready } = status()
    return reply.code(ready ? 200 : 503).send({ ready })
  })
  fastify.get('/status', async () => status())
  fastify.get('/metrics', async (_, reply) => reply.type(metrics.contentType).send(await metrics.text()))
  return fastify
}

/** @throws SERVER_PORT_IN_USE, SERVER_BIND_FAILED */
export async function open(fastify: FastifyInstance, host: string, port: number): Promise<void> {
  try {
    await fastify.listen({ host, port })
  } catch (error) {
    throw bindError(error, `${host}:${port}`)
  }
}

export interface Leaving {
  /** How long load balancers may take to notice, milliseconds. */
  readonly delay: number
  /** How long answers that are under way may take then, milliseconds. */
  readonly limit: number
}

/**
 * Sends clients elsewhere without losing one of their requests: for `delay` requests are taken, each as the last one of
 * its connection; then no connection is, and answers under way are finished.
 */
export async function drain(fastify: FastifyInstance, { delay, limit }: Leaving): Promise<void> {
  const { server } = fastify
  server.prependListener('request', (_, response) => void response.setHeader('connection', 'close'))
  await sleep(delay)
  server.keepAliveTimeout = LINGER_MS
  const timer = setTimeout(() => server.closeAllConnections(), limit)
  await fastify.close()
  clearTimeout(timer)
}
