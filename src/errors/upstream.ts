import type { ErrorTable } from './entry.js'

/** The gateway, and the model servers that it asks. */
export const UPSTREAM_ERRORS = {
  UPSTREAM_UNREACHABLE: {
    cause: 'No model server of gateway.upstreams took the request, or it closed the connection without an answer.',
    remedy: 'Check that the servers run and that gateway.upstreams leads to them.',
    retryable: true,
  },
  UPSTREAM_TIMEOUT: {
    cause: 'A model server has sent nothing for gateway.upstreamTimeout.',
    remedy: 'Look at the load of the servers. Raise gateway.upstreamTimeout if their answers may take longer to begin.',
    retryable: true,
  },
  REQUEST_TOO_LARGE: {
    cause: 'The body of a request is larger than gateway.maxBodyBytes.',
    remedy: 'Send less, or raise gateway.maxBodyBytes: each request is held in memory until it has been passed on.',
  },
  PATH_REFUSED: {
    cause: 'The gateway passes on what is below /v1, except what loads and drops adapters.',
    remedy: 'Ask the model server itself.',
  },
  ROUTING_UNREADABLE: {
    cause: 'The gateway cannot read which version answers whom. Requests go where the registry last said.',
    remedy: 'Check gateway.routing, or adapters.dir and adapters.store, and that the gateway may read it.',
    retryable: true,
  },
} as const satisfies ErrorTable
