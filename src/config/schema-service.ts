import {
  bytes,
  choice,
  duration,
  flag,
  integer,
  list,
  optionalChoice,
  optionalText,
  real,
  secret,
  text,
} from './setting.js'

/** Keys of what surrounds the learner: the log, the checkpoint, the registry, the server, the demo. */
export const service = {
  stream: {
    brokers: list([], 'Kafka bootstrap servers, host:port.'),
    topic: optionalText('The topic that carries the feedback.'),
    groupId: text('bcod', 'Consumer group. One per adapter.'),
    dlq: optionalText("Dead-letter topic. null: the topic's name with .dlq appended."),
    holdBack: duration('30s', { min: 0 }, 'A vote waits this long for a later vote on the same completion. 0 = off.'),
    pendingBytes: bytes(
      '64MiB',
      { min: 1 },
      'Reading pauses when what was read and waits (held votes, events before their step, dead letters) takes this much memory, names and objects included. It resumes when half of what held votes and dead letters leave of it is free. If held votes take more than 0.4 of it, the oldest are released early. Node needs this in addition to its own 100 MB.',
    ),
    pendingEvents: integer(10_000, { min: 1 }, 'Reading pauses when this many events wait for their step.'),
    tombstones: choice(
      ['ignore', 'retract'],
      'ignore',
      'What to do with a record without a value. retract: it retracts the held votes of every user and source on the completion that its key names. Off by default, because a tombstone does not say who sent it.',
    ),
    unwrap: choice(
      ['auto', 'none'],
      'auto',
      "The envelopes of Kafka Connect (schema, payload) and Debezium (before, after, op; or flattened by ExtractNewRecordState, with __op or __deleted in it). auto: they are removed; a table's row is a vote under its key. none: such a record is a dead letter that names its envelope.",
    ),
    shard: integer(
      0,
      { min: 0 },
      "Which part of the topic is this daemon's: 0 to shards - 1, by a hash of the subject.",
    ),
    shards: integer(1, { min: 1 }, 'How many daemons share the topic. Each needs its own groupId and checkpoint.dir.'),
    dedupWindow: integer(1_000_000, { min: 0 }, 'How many event ids are remembered to drop duplicates; 0 = off.'),
    ledger: integer(
      1_000_000,
      { min: 0 },
      'How many trained votes are remembered, so that one voter trains an answer once with each label; 0 = off.',
    ),
    deadLetterBuffer: integer(
      100_000,
      { min: 1 },
      'Reading pauses when this many dead letters wait because the dead-letter topic is slow or down.',
    ),
    dlqSpillBytes: bytes(
      '256MiB',
      { min: 1 },
      'Dead letters beyond 4 MiB wait on disk, beside the checkpoints. Reading pauses when they take this much, so nobody can fill the disk by writing to the topic.',
    ),
    sessionTimeout: duration(
      '30s',
      { min: 1000 },
      'The group gives the partitions away after this long without a heartbeat.',
    ),
    connectTimeout: duration('30s', { min: 1 }, 'How long the start waits for a broker before it fails.'),
    start: optionalChoice(
      ['earliest', 'latest', 'group'],
      'Where to read from when there are group offsets but no checkpoint. null refuses to start then.',
    ),
    acceptGap: flag(false, "Continue although records between the checkpoint and the log's start are gone."),
    tls: {
      enabled: flag(false, 'Use TLS to the brokers.'),
      ca: optionalText("PEM file of the certificate authority. null: the system's."),
      cert: optionalText('PEM file of the client certificate.'),
      key: optionalText('PEM file of the client key.'),
    },
    sasl: {
      mechanism: optionalChoice(
        ['plain', 'scram-sha-256', 'scram-sha-512', 'oauthbearer'],
        'How to log in. null: no login. oauthbearer needs tokenEndpoint or tokenFile.',
      ),
      username: optionalText('User name for SASL; with tokenEndpoint the client id.'),
      password: secret('Password for SASL; with tokenEndpoint the client secret. Prefer the environment variable.'),
      tokenEndpoint: optionalText('URL that gives tokens for oauthbearer by the client credentials grant.'),
      tokenScope: optionalText('Scope to request at tokenEndpoint.'),
      tokenFile: optionalText('File with the token for oauthbearer, read at each login.'),
    },
  },
  checkpoint: {
    dir: optionalText('Directory of the checkpoints; it holds all learning state.'),
    everySteps: integer(10, { min: 0 }, 'A checkpoint after this many steps; 0 = not by steps.'),
    every: duration(
      '30s',
      { min: 0 },
      'A checkpoint at this interval, if anything has changed since the last one. 0 = not by time.',
    ),
    keep: integer(
      5,
      { min: 1 },
      'How many checkpoints are kept, in addition to those that a published adapter came from.',
    ),
  },
  adapters: {
    dir: optionalText(
      'Registry of published adapters; with adapters.store, the directory of the copies that are needed as files. null: adapters beside the checkpoint directory.',
    ),
    store: optionalText(
      'Bucket that the registry is kept in, as s3://bucket/prefix. One registry has one prefix. null: adapters.dir is the registry.',
    ),
    s3: {
      endpoint: optionalText("Base URL of the store. null: Amazon's, of the region."),
      region: optionalText(
        'Region that requests are signed for. null: AWS_REGION, AWS_DEFAULT_REGION, or else us-east-1.',
      ),
      accessKeyId: secret('null: AWS_ACCESS_KEY_ID.'),
      secretAccessKey: secret('null: AWS_SECRET_ACCESS_KEY.'),
      sessionToken: secret('Of temporary credentials. null: AWS_SESSION_TOKEN, with AWS_ACCESS_KEY_ID.'),
      pathStyle: flag(
        false,
        'Name the bucket in the path of URLs, and not in their host, as most stores of your own want.',
      ),
      timeout: duration(
        '30s',
        { min: 100 },
        'How long one request may take; a whole adapter is one. What may pass is tried five times.',
      ),
    },
    keep: integer(
      20,
      { min: 1 },
      'How many published versions are kept, in addition to the live one; their checkpoints are kept too. These are versions, not time: 20 can be ten minutes. A model server may read the files of a loaded version again, and vLLM ends if they are gone: unload old versions in time, or keep more.',
    ),
  },
  journal: {
    keepEvents: flag(
      true,
      'Keep the token ids of trained events in the journal, so replay works after the topic has deleted them.',
    ),
  },
  server: {
    host: text('127.0.0.1', 'Address of /metrics, probes and the status page.'),
    port: integer(9464, { min: 0, max: 65_535 }, 'Port of the server; 0 = any free one.'),
    adminToken: secret(
      'Bearer token of POST /v1/admin/pause, resume, checkpoint and adapters/…: at least 16 characters, 8 of them different, random (openssl rand -hex 32). null: there are no admin verbs.',
    ),
    allowedHosts: list(
      [],
      'Host names under which the port answers, such as bcod.example.com or *.example.com; *: any. This protects against DNS rebinding by pages of other sites. Addresses, names without a dot and names of Kubernetes services are always allowed; /livez and /readyz answer under any name.',
    ),
    maxConnections: integer(
      128,
      { min: 8 },
      'Maximum of open connections; at most a quarter of ulimit -n. One more closes the oldest of the address that has most.',
    ),
  },
  embeddings: {
    url: optionalText('OpenAI-compatible API for ratio.embedder=endpoint, up to and with /v1.'),
    token: secret('Bearer token for it. Prefer the environment variable.'),
    timeout: duration('2s', { min: 1 }, 'How long one request may take.'),
    retries: integer(2, { min: 0 }, 'Further requests after one that failed; then the events have w = 1.'),
    cache: integer(10_000, { min: 0 }, 'Prompts whose embedding is kept.'),
  },
  log: {
    level: choice(
      ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'],
      'info',
      'Least severe line that is logged.',
    ),
  },
  seed: integer(0, { min: 0 }, 'Seed of every random choice: initial adapter, hold-out, sampling.'),
  demo: {
    noise: real(
      0.05,
      { min: 0, max: 0.5 },
      'Probability that a simulated user votes against their own preference; 0.5 = at random.',
    ),
    temperature: real(1, { min: 0 }, "Sampling temperature of the demo's answers; 0 = greedy."),
    roundSize: integer(16, { min: 1 }, 'Answers that are sampled with one adapter before the demo loads the next.'),
  },
}
