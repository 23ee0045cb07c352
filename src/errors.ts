import { printableLine } from './printable.js'

/**
 * Every error that bcod can show, in one list: what it means and what to do. `docs/errors.md` is generated from it.
 * A code is stable: alerts, dead letters and scripts match on it.
 */
export const ERRORS = {
  INTERNAL: {
    cause: 'A rule that the code relies on did not hold.',
    remedy: 'Report it with the log lines around it; the last checkpoint is intact.',
  },
  TRAIN_OUT_OF_MEMORY: {
    cause: 'The device has no memory for an event of this length. It was put aside; the rest of its step trained.',
    remedy: 'Lower limits.maxLength or batch.size, or use a larger device; then publish the event again.',
  },
  TRAIN_NONFINITE: {
    cause: "An event's log-probability or gradient is not finite. It was put aside; the rest of its step trained.",
    remedy:
      'Look at the dead letter: extreme or corrupt tokens. If many events are hit, run `bcod check`: it looks at every weight.',
  },
  CHECKPOINT_MISSING: {
    cause: 'The consumer group has committed offsets, but there is no checkpoint to go on from.',
    remedy:
      'Point checkpoint.dir at the checkpoints. To start anew, set stream.start (--start): earliest trains everything again, group goes on at the offsets, latest skips what is there.',
  },
  CHECKPOINT_MODEL_MISMATCH: {
    cause: 'The checkpoint was made for another base model or tokenizer.',
    remedy:
      'Set model.path to the model of the checkpoint, or start a new line with an empty checkpoint.dir and another stream.groupId.',
  },
  CLUSTER_CHANGED: {
    cause: 'The checkpoint was made on another Kafka cluster or topic.',
    remedy:
      'Set stream.brokers and stream.topic to those of the checkpoint, or start a new line with an empty checkpoint.dir.',
  },
  TOPIC_RECREATED: {
    cause: 'The topic was deleted and created anew: its offsets mean other records than those that were read.',
    remedy:
      'Start a new line with an empty checkpoint.dir and another stream.groupId; lora.init can take up the last adapter.',
  },
  POSITION_BEYOND_END: {
    cause: 'It was read further than the log goes: records were lost or the topic was created anew.',
    remedy:
      'Restore the topic, or start a new line with an empty checkpoint.dir; lora.init can take up the last adapter.',
  },
  POSITION_EXPIRED: {
    cause: "Records that were not read are gone: the topic's retention deleted them.",
    remedy: 'Accept the loss with --accept-gap (stream.acceptGap), and raise retention.ms of the topic.',
  },
  LINEAGE_MISSING: {
    cause: 'There is no line of checkpoints to follow.',
    remedy: 'Give the directory that holds step-00000000 and journal.jsonl (checkpoint.dir).',
  },
  LINEAGE_DIVERGED: {
    cause: 'Replaying a step gave another adapter than the journal says.',
    remedy:
      'Replay on the same CPU type, with the same threads and executor and with the model the line was made with; elsewhere results differ by rounding. If they are the same, report it.',
  },
  LINEAGE_EVENTS_MISSING: {
    cause: 'The journal holds no token ids, so its steps cannot be trained again.',
    remedy: 'Run with journal.keepEvents=true for lines that are to be replayed.',
  },
  NOT_RUNNING: {
    cause: 'The daemon was asked for something that it can only do while it runs.',
    remedy: 'Wait until /readyz answers 200, and ask again.',
  },
  CHECKPOINT_FAILED: {
    cause:
      'A checkpoint that was asked for could not be written, or its adapter not be published. What was durable and live before still is.',
    remedy: 'The log has the reason and its code; the daemon tries again with its next checkpoint.',
  },
  STOP_OVERDUE: {
    cause: 'The daemon was told to stop, and the step, checkpoint or commit under way did not end in time.',
    remedy: 'Nothing is lost: it goes on from the last checkpoint. Look at brokers and disk if it recurs.',
  },
  CHECKPOINT_SETTINGS_CHANGED: {
    cause: 'A setting that the saved learning state depends on has changed since the checkpoint.',
    remedy:
      'Set it back, or start a new line with an empty checkpoint.dir and another stream.groupId; lora.init can take up the last adapter.',
  },
  LEARNER_GONE: {
    cause: 'The thread that trains ended.',
    remedy:
      'Restart the daemon: it goes on from the last checkpoint. If it recurs, look for memory limits and run `bcod doctor`.',
  },
  NATIVE_DEATH: {
    cause:
      'Native code crashed (TensorFlow, its addon, or Node itself), and with it the process. It is named on stderr as the process dies; the signal and the file that it happened in are part of the message.',
    remedy:
      'Start it again: a daemon goes on from its last checkpoint. If it recurs, see whether node_modules or libtensorflow was overwritten meanwhile, whether memory ran out, run `bcod doctor`, and report the line.',
  },
  MODEL_CONFIG_INVALID: {
    cause: "The model's config.json is not what Hugging Face writes.",
    remedy: 'Download the model directory again, or correct the named key.',
  },
  MODEL_NONFINITE: {
    cause:
      'The model itself computes NaN or infinity, whatever it is given: its weights are damaged, or its numbers overflow. No vote is at fault, and none was put aside.',
    remedy:
      'The message names the tensor where a weight is not finite: download or merge the model again. Where none is, use model.dtype f32 and compare config.json with the original.',
  },
  MODEL_UNSUPPORTED: {
    cause: 'The model is of a kind that bcod does not train.',
    remedy: 'Use a Llama, Qwen2/2.5 or Qwen3 model with unquantized weights.',
  },
  MODEL_TENSOR_SHAPE: {
    cause: 'A weight has another shape than config.json says.',
    remedy: 'Weights and config.json come from different models: download the directory again.',
  },
  ADAPTER_MISMATCH: {
    cause: 'The adapter was made for another model or with other LoRA settings.',
    remedy:
      'Set lora.r, lora.alpha, lora.rslora and lora.targets as in its adapter_config.json, or use the base that it names.',
  },
  STEP_NONFINITE: {
    cause: 'The gradient of a step is not finite, and no single event makes it so.',
    remedy:
      'The last checkpoint is intact. Lower optimizer.lr, set optimizer.clipNorm, or use f32; look for NaN in the base weights.',
  },
  TENSORFLOW_MISSING: {
    cause: 'libtensorflow or the addon that calls it is missing or does not load.',
    remedy: 'Run `make setup`; `bcod doctor` names what is missing.',
  },
  TENSORFLOW_FAILED: {
    cause: 'TensorFlow refused or failed a call.',
    remedy: 'Look at the message; try `model.executor` graph instead of xla, or f32 instead of bf16.',
  },
  DEVICE_OUT_OF_MEMORY: {
    cause: 'The device had no memory left for a call.',
    remedy:
      'A block that is too large is replaced by smaller ones by itself; this is what remains. Lower limits.maxLength, or use a larger device.',
  },
  USAGE: { cause: 'The command line was not understood.', remedy: 'Run the command with --help.' },
  CONFIG_UNREADABLE: {
    cause: 'The configuration file cannot be read or parsed.',
    remedy: 'Check the path, its permissions and the YAML or JSON at the line that is named.',
  },
  CONFIG_UNKNOWN_KEY: {
    cause: 'A file, variable or flag sets a key that does not exist.',
    remedy: 'Correct the name; `bcod config schema` lists every key.',
  },
  CONFIG_INVALID: {
    cause: 'A key has a value of the wrong type or out of range, or contradicts another key.',
    remedy: 'Correct the value where the message says it was set; `bcod config explain KEY` tells what it takes.',
  },
  CONFIG_MISSING: {
    cause: 'The command needs a key that has no default and is not set.',
    remedy: 'Set it in the file, in the environment or with --set.',
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
  SAFETENSORS_INVALID: {
    cause: 'A safetensors file is cut short, or its header does not describe its bytes.',
    remedy: 'Download or copy the file again and compare its size and sha256 with the source.',
  },
  MODEL_FILE_MISSING: {
    cause: 'A file of the model directory is not there or cannot be read.',
    remedy: 'Point model.path to a Hugging Face directory with config.json and its safetensors files.',
  },
  MODEL_TENSOR_MISSING: {
    cause: 'A tensor that the architecture needs is not in the model files.',
    remedy: 'Check that every shard was downloaded and that the weights belong to this config.json.',
  },
  ADAPTER_INVALID: {
    cause: 'A directory does not hold a whole PEFT LoRA adapter.',
    remedy: 'Point to a directory with adapter_config.json and adapter_model.safetensors as PEFT saves them.',
  },
  ADAPTER_UNSUPPORTED: {
    cause: 'The adapter uses a PEFT feature that bcod does not train.',
    remedy: 'Use a plain LoRA: one rank for all layers, no DoRA, no trained biases, no modules_to_save.',
  },
  ADAPTER_NONFINITE: {
    cause: 'An adapter tensor holds NaN or infinity: the adapter is neither loaded nor published.',
    remedy: 'Servers keep the version before. Lower optimizer.lr or roll back to an earlier checkpoint.',
  },
  ADAPTER_VERSION_CONFLICT: {
    cause: 'This version was published before with other contents.',
    remedy: 'Two lines of checkpoints publish to one directory: give each its own, or move the old version away.',
  },
  ADAPTER_DISK_FULL: {
    cause: 'There is no space left where adapters are published.',
    remedy: 'Free space or enlarge the volume; the live version is untouched and publishing can be tried again.',
  },
  CHECKPOINT_NOT_FOUND: {
    cause: 'The path given holds no checkpoint.',
    remedy: 'Give a step-… directory, or the directory of checkpoints that it is in.',
  },
  DIRECTORY_FOREIGN: {
    cause: "A directory for checkpoints or adapters has things in it that are not bcod's.",
    remedy:
      "Give checkpoint.dir and adapters.dir each a directory of its own, empty or not there yet. Where all of it is bcod's after all, move what is named out of it.",
  },
  CHECKPOINT_DISK_FULL: {
    cause: 'There is no space left where checkpoints are kept.',
    remedy: 'Free space, enlarge the volume or lower checkpoint.keep; the previous checkpoint is intact.',
  },
  CHECKPOINT_IO: {
    cause: 'The checkpoint directory cannot be written or read.',
    remedy: 'Check that the volume is mounted, writable by this user and healthy; the previous checkpoint is intact.',
  },
  CHECKPOINT_DAMAGED: {
    cause: 'The newest checkpoint is not as it was written.',
    remedy:
      'Restore its directory from a backup. To go on from the one before instead, start with --accept-older: events trained since then are read and trained again.',
  },
  CHECKPOINT_VERSION: {
    cause: 'The checkpoint was written in a format that this version of bcod does not know.',
    remedy: 'Run the version of bcod that wrote it, or a later one.',
  },
  LETTERS_DAMAGED: {
    cause:
      'Dead letters that wait on disk, in the letters directory beside the checkpoints, are not as they were written.',
    remedy:
      'Restore letters from the backup that the checkpoints came from. Without one, move the newest checkpoint out of the directory: training goes on from the one before, and what was read since then is read again.',
  },
  JOURNAL_SHORT: {
    cause: 'journal.jsonl is shorter than the checkpoint says: applied steps are missing from it.',
    remedy:
      'Restore journal.jsonl from a backup, or move the checkpoints that are newer than it out of the directory: training goes on from the one before them.',
  },
  JOURNAL_MISMATCH: {
    cause: 'journal.jsonl is not the one that the checkpoint was written with.',
    remedy: 'Restore the journal.jsonl that belongs to this checkpoint directory.',
  },
  JOURNAL_INVALID: {
    cause: 'A line of journal.jsonl cannot be read.',
    remedy: 'Restore journal.jsonl from a backup.',
  },
  FENCED: {
    cause: 'Another daemon has taken over this checkpoint directory.',
    remedy: 'Nothing to do where that is wanted: it goes on from the last checkpoint. Otherwise stop one of the two.',
  },
  FEEDBACK_NOT_JSON: {
    cause: 'A feedback record is not JSON in UTF-8.',
    remedy: 'Publish a CloudEvent or a bare row as JSON; docs/events.md has examples to copy.',
  },
  FEEDBACK_INVALID: {
    cause: 'A field of a feedback event is missing, badly typed or out of range.',
    remedy: 'Correct the field that is named in what publishes the events; docs/events.md lists every field.',
  },
  FEEDBACK_TOO_LARGE: {
    cause: 'A feedback record is longer than limits.maxRecordBytes.',
    remedy: 'Send less text or token ids, or raise limits.maxRecordBytes.',
  },
  FEEDBACK_UNREADABLE: {
    cause: 'bcod failed on a feedback record in a way that it does not know.',
    remedy: 'Report it with the dead letter; the record is unchanged in it, and the others go on.',
  },
  PAIRS_INVALID: {
    cause: 'A row of a pairs file is not a prompt with a chosen and a rejected completion.',
    remedy: 'Write one JSON object a line: prompt, chosen, rejected, or prompt_tokens, chosen_tokens, rejected_tokens.',
  },
  FILE_FOREIGN: {
    cause: 'A file is not what its name says: a Git LFS pointer, a web page, another format or another encoding.',
    remedy: 'The message says what it is; put the file itself in its place.',
  },
  FILE_UNREADABLE: {
    cause: 'A file given to a command cannot be read.',
    remedy: 'Check the path and its permissions.',
  },
  OUTPUT_NOT_EMPTY: {
    cause: 'The directory for results holds something already.',
    remedy: 'Give --out a directory that is empty or does not exist; nothing is ever overwritten.',
  },
  OUTPUT_UNWRITABLE: {
    cause: 'Results cannot be written to their place.',
    remedy: 'Check that the directory may be written and that its disk has space.',
  },
  TEXT_WITHOUT_TOKENIZER: {
    cause: 'An event holds text, but the model directory has no tokenizer.json.',
    remedy: 'Add tokenizer.json to the model directory, or publish prompt_tokens and completion_tokens.',
  },
  TOKENIZER_INVALID: {
    cause: 'A tokenizer file of the model directory cannot be read or is of a kind that is not supported.',
    remedy: 'Download the file again; tokenizer.json must be one that the Hugging Face tokenizers library writes.',
  },
  TOKENIZE_FAILED: {
    cause: 'The tokenizer could not turn a text into token ids of the model.',
    remedy: 'Check that tokenizer.json belongs to the model; publish token ids for texts that it cannot hold.',
  },
  CHAT_TEMPLATE_MISSING: {
    cause: 'An event holds messages, but the model directory has no chat template.',
    remedy: 'Add chat_template.jinja to the model directory, or publish the prompt as one text or as token ids.',
  },
  CHAT_TEMPLATE_FAILED: {
    cause: 'The chat template cannot be read, or refused the messages.',
    remedy: 'Check roles and their order against the template, or publish the prompt as one text or as token ids.',
  },
  MESSAGE_NOT_RENDERED: {
    cause: 'The chat template does not write tools, tool calls or the reasoning of an answer that an event holds.',
    remedy:
      'Take a template that writes them, or publish the prompt as one text or prompt and completion as token ids.',
  },
  CONTROL_TOKEN_IN_TEXT: {
    cause:
      'A message or a completion holds a control token of the model, such as the one that ends a turn: its author could speak for others.',
    remedy:
      'Such votes are refused by limits.specialTokens=reject; escape trains them as plain characters, allow as control tokens. What the server itself made of a text is published as one literal text or as token ids.',
  },
  TEXT_TIMEOUT: {
    cause: 'Chat template and tokenizer of the model took longer for a text than limits.tokeniseTimeout.',
    remedy:
      'Where it is a single vote, look at its dead letter. Where every text does it, the template or a pattern in tokenizer.json never ends: compare them with the publisher’s. On a slow machine, raise the limit.',
  },
  TEXT_PROCESS_ENDED: {
    cause:
      'The process that runs chat template and tokenizer ended: the text or the template took all its memory, or somebody killed it.',
    remedy:
      'Where it is a single vote, look at its dead letter. Where every text does it, compare the chat template and tokenizer.json with the publisher’s; see that the container has memory and may start processes.',
  },
  KAFKA_UNREACHABLE: {
    cause: 'No broker answered.',
    remedy:
      'Check stream.brokers, that a broker runs there, the network between, and whether the port expects TLS (stream.tls) or a login (stream.sasl).',
  },
  KAFKA_LEADER_MISSING: {
    cause: 'A partition of the topic has no leader: every broker that holds its records is down or out of sync.',
    remedy:
      'Start the brokers that hold its replicas (kafka-topics.sh --describe --unavailable-partitions). bcod waits stream.connectTimeout for them at a start, and without end later: it trains only while it reads every partition.',
  },
  KAFKA_TLS_FAILED: {
    cause:
      'The encrypted connection to the broker could not be set up: its certificate is not trusted or does not fit.',
    remedy:
      'Set stream.tls.ca to the certificate authority of the brokers, or stream.tls.enabled=false for a plain port.',
  },
  CLASSIFIER_OTHER: {
    cause:
      'The prompt classifier of the checkpoint was learnt with other settings, from which nothing can be told here.',
    remedy:
      'Give the ratio.mode, ratio.embedder, ratio.embeddingModel and seed of the checkpoint, with --config or --set.',
  },
  EMBEDDINGS_UNAVAILABLE: {
    cause:
      'The embedding service gave no embeddings. The events trained with w = 1 and the classifier did not learn from them.',
    remedy: 'Check embeddings.url, embeddings.token and ratio.embeddingModel, and that the service answers in time.',
  },
  KAFKA_LOGIN_FAILED: {
    cause: 'The broker refused the user name, the password, the token or the SASL mechanism, or no token was given.',
    remedy:
      'Check stream.sasl.mechanism, username and password; with oauthbearer also tokenEndpoint, tokenScope or tokenFile.',
  },
  KAFKA_NOT_AUTHORIZED: {
    cause: 'The Kafka user may not do what bcod needs.',
    remedy:
      'Grant READ and DESCRIBE on the topic, READ on the consumer group, and WRITE and DESCRIBE on the dead-letter topic. DESCRIBE_CONFIGS on the topics only helps: it tells retention, the size of letters and who sets the times.',
  },
  KAFKA_TOPIC_MISSING: {
    cause: 'The topic does not exist, or the Kafka user may not see it.',
    remedy: 'Create the topic, or correct stream.topic.',
  },
  KAFKA_DLQ_MISSING: {
    cause: 'The dead-letter topic does not exist and the Kafka user may not create it.',
    remedy: 'Create the topic (one partition is enough), or grant CREATE on it.',
  },
  KAFKA_OFFSET_OUT_OF_RANGE: {
    cause: 'The log no longer holds the offset to read next: retention or a recreated topic took it.',
    remedy:
      'Records are lost. Start with --accept-gap to go on behind the gap, and lengthen retention.ms of the topic.',
  },
  KAFKA_OFFSET_TOO_LARGE: {
    cause: 'An offset does not fit 2^53 − 1, the largest integer that bcod keeps exactly.',
    remedy: 'Move the feedback to a new topic.',
  },
  KAFKA_CODEC_UNKNOWN: {
    cause:
      'A batch of records is compressed in a way that Kafka’s protocol does not know, or its codec cannot be loaded.',
    remedy:
      'Reading goes on behind it; the dead letter holds the batch. Set compression.type of its producer to gzip, snappy, lz4 or zstd and publish its records again.',
  },
  KAFKA_BATCH_DAMAGED: {
    cause: 'A batch of records could not be unpacked or taken apart, or its checksum does not fit.',
    remedy:
      'Reading goes on behind it; the dead letter holds the batch as the broker keeps it. Look for the producer that writes such batches, check the disks of the brokers, and publish its records again.',
  },
  KAFKA_BATCH_TOO_LARGE: {
    cause: 'A batch of records takes more memory than limits.maxBatchBytes once it is unpacked.',
    remedy:
      'Reading goes on behind it; the dead letter holds the batch. If it is no attack, let its producer send smaller batches or raise limits.maxBatchBytes, and publish its records again.',
  },
  KAFKA_GROUP_SHARED: {
    cause:
      'Other programs are members of the consumer group, with a protocol or a way to share partitions that bcod does not speak.',
    remedy:
      'Give bcod a group of its own (stream.groupId, one for each adapter), or stop the other members: kafka-consumer-groups.sh --describe --members --group GROUP names them. A group keeps its protocol until it is empty.',
  },
  KAFKA_ASSIGNMENT_LOST: {
    cause: 'The group gave the partition to another member before its offset was committed.',
    remedy: 'Nothing is lost: the next assignment reads on from the checkpoint. Keep one bcod per group and adapter.',
  },
  KAFKA_CLOSED: {
    cause: 'The connection to Kafka was closed while the call waited.',
    remedy: 'Start bcod again; the last checkpoint is intact.',
  },
  KAFKA_FAILED: {
    cause: 'The broker or the Kafka client refused in a way that bcod does not know.',
    remedy: 'Read the message and the broker’s log; the last checkpoint is intact.',
  },
  BROKER_JAVA_MISSING: {
    cause: 'The embedded Kafka broker needs Java 17 or newer.',
    remedy: 'Install it (apt-get install openjdk-17-jre-headless) and see that `java` is on the PATH.',
  },
  BROKER_JARS_MISSING: {
    cause: 'The jars of the embedded Kafka broker are not in the cache.',
    remedy: 'Fetch them once with `node scripts/kafka-jars.mjs` in a checkout; it needs Maven and the network.',
  },
  BROKER_START_FAILED: {
    cause: 'The embedded Kafka broker did not start.',
    remedy: 'Read its log; free about 400 MB of memory and the port.',
  },
} as const satisfies Record<string, { cause: string; remedy: string }>

export type ErrorCode = keyof typeof ERRORS

export interface ErrorDetails {
  /** Where it happened: a config key, a file, a JSON path, topic-partition-offset. Never user text. */
  readonly place?: string
  readonly cause?: unknown
  /** Replaces the general remedy of the code where a more exact one is known. */
  readonly remedy?: string
}

/** An error with a stable code, the place where it happened and what to do next. */
export class BcodError extends Error {
  override readonly name = 'BcodError'
  readonly place: string | undefined
  readonly remedy: string

  constructor(
    readonly code: ErrorCode,
    message: string,
    details: ErrorDetails = {},
  ) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause })
    this.place = details.place
    this.remedy = details.remedy ?? ERRORS[code].remedy
  }

  /** `CODE place: message`, on one line, fit for a terminal. */
  get line(): string {
    return printableLine(`${this.code}${this.place ? ` ${this.place}` : ''}: ${this.message}`)
  }
}

/** An error that the command line answers with exit code 2. */
export const isUsageError = (error: unknown): boolean =>
  error instanceof BcodError && (error.code === 'USAGE' || error.code.startsWith('CONFIG_'))
