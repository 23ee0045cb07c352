import { choice, duration, integer, list, optionalText, real, records, secret, text } from './setting.js'

/** Keys of publishing: which versions reach users, and the servers that load them. */
export const publishing = {
  publish: {
    mode: choice(
      ['auto', 'manual'],
      'auto',
      'auto: a version that passes its gate goes live by itself. manual: it waits as candidate for `bcod adapters promote`.',
    ),
    targets: records(
      {
        kind: choice(
          ['directory', 'vllm', 'sglang'],
          'directory',
          'directory: the registry itself, which is always written. vllm, sglang: running servers, which load each version.',
        ),
        urls: list([], 'Base URL of each replica, without /v1.'),
        dns: optionalText(
          'One base URL whose host name stands for all replicas, such as a headless Kubernetes service.',
        ),
        name: text(
          'bcod',
          'A version is served as NAME-v00001234. Unique among the daemons that use the same servers.',
        ),
        apiKey: secret("Bearer token of the servers. null: publish.apiKey's."),
        path: optionalText('adapters.dir as the servers see it. null: the same absolute path as here.'),
      },
      'Servers that load each version before it goes live. Empty: bcod writes the registry, and servers are up to you.',
    ),
    apiKey: secret('Bearer token for servers whose target has none. Prefer the environment variable.'),
    attest: real(
      0.1,
      { min: 0 },
      "A server passes if the log-probabilities that it gives to tokens after secret prompts, under a version's name, differ from the learner's by at most this, as root mean square in nats per token. bf16 and long prompts need about 0.05, f32 less than 0.0001. 0 = names are read back and nothing is measured.",
    ),
    keepLoaded: integer(
      2,
      { min: 2 },
      'How many versions stay loaded on each server: the live one, and those that were live before it, to which a rollback is immediate.',
    ),
    timeout: duration(
      '30s',
      { min: 1 },
      'How long one request to a server may take; loading an adapter is one request.',
    ),
    probeEvery: duration(
      '15s',
      { min: 1000 },
      'How often each server is asked whether it serves the live version. What is missing is loaded again, and what is no longer wanted is unloaded.',
    ),
  },
}
