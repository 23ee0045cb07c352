import { choice, duration, list, optionalText, records, secret, text } from './setting.js'

/** Keys of publishing: the servers that load versions. */
export const publishing = {
  publish: {
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
      'Servers that load published versions.',
    ),
    apiKey: secret('Bearer token for servers whose target has none. Prefer the environment variable.'),
    timeout: duration(
      '30s',
      { min: 1 },
      'How long one request to a server may take; loading an adapter is one request.',
    ),
  },
}
