import { bytes, duration, flag, integer, list, optionalText, secret, text } from './setting.js'

/** Keys of the way in: how votes come to the topic. */
export const gateway = {
  gateway: {
    host: text('127.0.0.1', 'Address that applications and browsers reach. 0.0.0.0 = every one of the machine.'),
    port: integer(8080, { min: 0, max: 65_535 }, 'Port that applications and browsers reach. 0 = any free port.'),
    upstreams: list(
      [],
      'OpenAI-compatible servers of the model, such as http://vllm:8000; a request goes to the one with the fewest.',
    ),
    upstreamKey: secret(
      'Sent to the servers as a bearer token in place of what clients send. null: what clients send is passed on.',
    ),
    upstreamTimeout: duration(
      '10m',
      { min: 1 },
      'A server that sends nothing for this long is given up. An answer can be voted on only if it ends within an hour.',
    ),
    stopDelay: duration(
      '0',
      { min: 0 },
      'How long requests are still taken after SIGTERM, each as the last one of its connection, while load balancers notice that /readyz fails. deploy/k8s has 10s.',
    ),
    model: optionalText('The model name that the versions answer. null: every name that clients ask for.'),
    routing: optionalText(
      "Where to read which version answers whom: the daemon's URL of it, such as http://bcod:9464/routing. null, or while the daemon is away: routing.json in adapters.dir; without either, every request goes on as it is.",
    ),
    tokenIds: flag(
      false,
      'Ask the servers for exact token ids (return_token_ids), so that votes train on the very tokens. vLLM 0.10.2 and newer know it; other servers may refuse it.',
    ),
    corsOrigins: list([], 'Origins of pages that may ask and vote from a browser, such as https://chat.example.com.'),
    maxBodyBytes: bytes('32MiB', { min: 1 }, 'Longest body of a request. Each is in memory until it is passed on.'),
    apiKeysFile: optionalText(
      'File with a key a line, for applications that vote for their users. null: votes need the token of their answer.',
    ),
    voteKey: secret(
      'What signs vote tokens, at least 32 characters (openssl rand -hex 32), the same in every replica. To replace it: the new one, a comma, the old one. null: answers have no token.',
    ),
    voteTtl: duration('7d', { min: 1000 }, 'How long an answer can be voted on.'),
    completionsTopic: optionalText(
      "Topic that keeps answers for votes. null: the feedback topic's name with .completions appended.",
    ),
    votesTopic: optionalText(
      'Topic of votes by id that flow through Kafka already. null: votes come through HTTP alone.',
    ),
    source: text('bcod-gateway', 'The source of the events that the gateway writes.'),
    userSalt: secret(
      "What users' ids are hashed with before they are written anywhere, random (openssl rand -hex 32). Everything that writes votes of the same users needs the same one.",
    ),
    votesPerMinute: integer(
      60,
      { min: 1 },
      'Votes a minute that one user may send to one replica: by hand nobody comes near, a script does.',
    ),
    keyVotesPerMinute: integer(
      6_000,
      { min: 1_000 },
      'Votes and events a minute that one API key may send to one replica, all of its users together; each event of a batch counts. A hundred a second is more than the thumbs of the largest product, and a key that is stolen, or an application in a loop, fills the topic no faster. History goes past it, with bcod import.',
    ),
  },
  import: {
    key: secret('API key that bcod import --url asks a product with, unless --key-file names a file that holds it.'),
  },
}
