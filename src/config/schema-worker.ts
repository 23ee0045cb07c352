import { flag, integer, text } from './setting.js'

/** Keys of `bcod worker`: a process that lends its devices to a leader. */
export const working = {
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
