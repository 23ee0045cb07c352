import type { ErrorTable } from './entry.js'

/** bcod's own processes and threads, and its server. */
export const PROCESS_ERRORS = {
  INTERNAL: {
    cause: 'An internal invariant was violated.',
    remedy: 'Report it with the log lines around it; the last checkpoint is intact.',
    fatal: true,
  },
  NATIVE_DEATH: {
    cause:
      'Native code crashed (TensorFlow, its addon, or Node itself), and with it the process. It is named on stderr as the process dies; the signal and the file that it happened in are part of the message.',
    remedy:
      'Start it again: a daemon continues from its last checkpoint. If it recurs, see whether node_modules or libtensorflow was overwritten meanwhile, whether memory ran out, run `bcod doctor`, and report the line.',
  },
  LEARNER_GONE: {
    cause: 'The thread that trains ended.',
    remedy:
      'Restart the daemon: it continues from the last checkpoint. If it recurs, look for memory limits and run `bcod doctor`.',
    fatal: true,
  },
  NOT_RUNNING: {
    cause: 'The daemon was asked for something that it can only do while it runs.',
    remedy: 'Wait until /readyz answers 200, and ask again.',
  },
  STOP_OVERDUE: {
    cause: 'The daemon was told to stop, and the step, checkpoint or commit under way did not end in time.',
    remedy: 'Nothing is lost: it continues from the last checkpoint. If it recurs, check brokers and disk.',
  },
  DAEMON_UNREACHABLE: {
    cause: 'No daemon answers at this address, or the connection to it broke.',
    remedy: 'Check that bcod run is up and that --url, or server.host and server.port, lead to it.',
  },
  SERVER_PORT_IN_USE: {
    cause: 'Another process listens on the port of the status server.',
    remedy: 'Stop it, or choose another server.port (0 = any free one).',
  },
  SERVER_BIND_FAILED: {
    cause: 'The status server cannot listen on its address.',
    remedy: 'Check that server.host is an address of this machine and that the process may use server.port.',
  },
} as const satisfies ErrorTable
