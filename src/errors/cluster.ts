import type { ErrorTable } from './entry.js'

/** Workers on other machines, and whoever leads them. */
export const CLUSTER_ERRORS = {
  WORKER_BIND_FAILED: {
    cause: 'The worker cannot listen at worker.address and worker.port.',
    remedy:
      'See that worker.address is an address of this machine, and that no other process listens on the port: `ss -tlnp`.',
  },
  WORKER_FAILED: {
    cause: "The worker's program could not start, or ended by itself.",
    remedy: 'Read its lines on stderr before this one; see whether memory ran out, and run `bcod doctor`.',
  },
  LEADER_BIND_FAILED: {
    cause: 'The daemon cannot listen at leader.address and leader.port, so no worker could reach it.',
    remedy:
      'See that leader.address is an address of this machine or pod, and that no other process, such as another daemon, listens on the port: `ss -tlnp`.',
  },
  WORKER_UNREACHABLE: {
    cause: 'A worker did not answer when it was asked whether it serves.',
    remedy:
      'See that `bcod worker` runs there, that its /healthz answers 200, and that the NetworkPolicy or firewall lets the leader in. Training goes on with the others.',
    retryable: true,
  },
  WORKER_DIFFERS: {
    cause: 'A worker is of another version of bcod or TensorFlow, or has another model, so its results would differ.',
    remedy: 'Run leader and workers from one image, with the same model.',
  },
  WORKER_LOST: {
    cause: 'A worker ended, restarted or lost its connection while it worked.',
    remedy: 'What it worked on runs again elsewhere. See why it ended, in its log and in its memory limits.',
    retryable: true,
  },
  WORKER_TIMEOUT: {
    cause: 'A worker did not finish in time: it is frozen or cut off, or the limit is shorter than a compilation.',
    remedy: 'What it worked on runs again elsewhere. If the worker was compiling, allow more time.',
    retryable: true,
  },
} as const satisfies ErrorTable
