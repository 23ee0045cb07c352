import { duration, flag, integer, optionalText, text } from './setting.js'

/** Keys of a daemon that leads workers, and of `bcod worker`, a process that lends its devices to it. */
export const working = {
  leader: {
    address: optionalText(
      'The one IP address, version 4 or 6, at which the daemon listens for the workers that devices names, and at which they reach it. There is no login and no encryption. null: devices names no worker.',
    ),
    port: integer(2222, { min: 1, max: 65_535 }, 'Port at that address, at which workers fetch what they are sent.'),
    operationTimeout: duration(
      '15m',
      { min: 1000 },
      'A worker that takes longer than this for one call is frozen or cut off: what it worked on is computed again elsewhere. Must be longer than the longest compilation of a program.',
    ),
    probeTimeout: duration(
      '5s',
      { min: 1 },
      'A worker that does not answer within this time is left out. Asked at the start, and after a checkpoint if one was lost.',
    ),
  },
  worker: {
    address: text(
      '127.0.0.1',
      'The one IP address, version 4 or 6, that the worker listens at. Whoever reaches it can run any program as the worker: there is no login and no encryption.',
    ),
    port: integer(2222, { min: 1, max: 65_535 }, 'Port of the programs that a leader sends.'),
    probePort: integer(2223, { min: 0, max: 65_535 }, 'Port of /healthz, at the same address. 0 = any free one.'),
    admitAnyNetwork: flag(
      false,
      'Allow worker.address to be 0.0.0.0 or ::, which is every address of the machine: whoever reaches one of them, on any network, can run any program as the worker.',
    ),
    threads: integer(0, { min: 0 }, 'CPU threads that share the work of one operation; 0 = all cores.'),
    interOpThreads: integer(
      0,
      { min: 0 },
      'CPU threads that run operations side by side; 0 = as many as worker.threads, and at least 4. With fewer than one for each device of the worker and two more, a step waits for one block after the other.',
    ),
  },
}
