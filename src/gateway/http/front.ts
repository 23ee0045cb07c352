import cors from '@fastify/cors'
import Fastify, { type FastifyInstance } from 'fastify'
import type { GatewayMetrics } from '../../telemetry/gateway-metrics.js'

export interface FrontOptions {
  readonly maxBodyBytes: number
  /** Origins of pages that may ask and vote. */
  readonly corsOrigins: readonly string[]
  readonly metrics: GatewayMetrics
}

/** A request that has not arrived whole by then is given up. */
const REQUEST_MS = 120_000
/** Longer than a load balancer keeps a connection that is idle. */
const KEEP_ALIVE_MS = 75_000

/** The port that applications and browsers use. */
export async function frontOf({ maxBodyBytes, corsOrigins, metrics }: FrontOptions): Promise<FastifyInstance> {
  const fastify = Fastify({
    ...{ bodyLimit: maxBodyBytes, requestTimeout: REQUEST_MS, keepAliveTimeout: KEEP_ALIVE_MS },
    forceCloseConnections: 'idle',
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
