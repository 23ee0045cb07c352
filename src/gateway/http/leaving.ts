import type { FastifyReply } from 'fastify'

/** Aborts when the client is gone before its answer was whole. */
export function leaving({ raw }: FastifyReply): AbortSignal {
  const left = new AbortController()
  raw.once('close', () => {
    if (!raw.writableFinished) left.abort()
  })
  return left.signal
}
