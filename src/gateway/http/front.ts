import cors from '@fastify/cors'
import Fastify, { type FastifyInstance } from 'fastify'
import { bindError } from '../../server/bind-error.js'
import type { GatewayMetrics } from '../../telemetry/gateway-metrics.js'

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

/** The port that applications and browsers use. */
export async function frontOf(options: FrontOptions): Promise<FastifyInstance> {
  const { maxBodyBytes, corsOrigins, idleTimeout, metrics } = options
  const fastify = Fastify({
    ...{ bodyLimit: maxBodyBytes, requestTimeout: REQUEST_MS, keepAliveTimeout: KEEP_ALIVE_MS },
    ...{ connectionTimeout: idleTimeout, forceCloseConnections: 'idle' },
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
export function backOf(metrics: GatewayMetrics, isReady: () => boolean): FastifyInstance {
  const fastify = Fastify()
  fastify.get('/livez', async () => ({ alive: true }))
  fastify.get('/readyz', async (_, reply) => reply.code(isReady() ? 200 : 503).send({ ready: isReady() }))
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

/** Takes no new request, and waits for those under way up to `limit` milliseconds. */
export async function drain(fastify: FastifyInstance, limit: number): Promise<void> {
  // a connection ends with the answer that is under way
  fastify.server.keepAliveTimeout = 1
  const timer = setTimeout(() => fastify.server.closeAllConnections(), limit)
  await fastify.close()
  clearTimeout(timer)
}
