import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import type { ErrorCode } from '../errors.js'
import type { DropReason, EmbeddingOutcome } from '../events/types.js'
import { REFUSALS } from '../server/refusals.js'
import { LIFECYCLE_STATES } from './lifecycle.js'

/** How documentation describes one metric. */
export interface MetricInfo {
  readonly name: string
  readonly type: 'counter' | 'gauge' | 'histogram'
  readonly labels: readonly string[]
  readonly unit: string
  readonly help: string
}

/**
 * Every metric of bcod. A gauge appears with its first measurement, so that 0 always means measured 0; a counter whose
 * label values are known starts at 0, and so does a gauge that tells of a fault. No label is a user, a prompt or an adapter version.
 */
export class Metrics {
  readonly registry = new Registry()
  readonly catalogue: MetricInfo[] = []

  readonly feedbackEvents = this.counter('feedback_events_total', 'events', 'Valid votes read from the topic.', [
    'label',
  ])
  readonly feedbackDropped = this.counter(
    'feedback_dropped_total',
    'events',
    'Votes that end without training, by reason.',
    ['reason'],
  )
  readonly framedRecords = this.counter(
    'framed_records_total',
    'records',
    "Records whose JSON stood behind what a schema registry's serialiser puts before it.",
  )
  readonly promptsShortened = this.counter(
    'prompts_shortened_total',
    'events',
    'Events whose prompt lost tokens from its left to fit into limits.maxLength: the beginning of the conversation is not trained with.',
  )
  readonly textRestarts = this.counter(
    'text_restarts_total',
    'restarts',
    'Chat template and tokenizer started anew: their process ended, or was ended because a text took too long.',
  )
  readonly deadLetters = this.counter(
    'dead_letters_total',
    'records',
    'Records written to the dead-letter topic, by error code.',
    ['code'],
  )
  readonly unreadableRecords = this.counter(
    'unreadable_records_total',
    'records',
    'Records of batches that could not be read, as many as their batches claim. One dead letter stands for each batch.',
    ['code'],
  )
  readonly consumerLag = this.gauge(
    'consumer_lag_records',
    'records',
    'Records of each assigned partition that are not acknowledged: unread, held back, or waiting for a step.',
    ['partition'],
  )
  readonly uncommittedRecords = this.gauge(
    'uncommitted_records',
    'records',
    'Records of each assigned partition that cannot be read yet: a transaction that began before them is still open.',
    ['partition'],
  )
  readonly uncommittedSeconds = this.gauge(
    'uncommitted_seconds',
    'seconds',
    'How long the end of what can be read has not moved, behind an open transaction; the longest over partitions.',
  )
  readonly eventTimesCorrected = this.counter(
    'event_times_corrected_total',
    'records',
    'Records whose producer gave no time, or one that is off by over a minute: ahead of the clock, or back before records read long ago. Hold-back goes by the corrected time.',
    ['reason'],
  )
  readonly heldBack = this.gauge(
    'held_back_records',
    'records',
    'Votes that wait for a later vote on the same completion.',
  )
  readonly waitingBytes = this.gauge(
    'waiting_bytes',
    'bytes',
    'Bytes that were read and wait, by place: in memory as fetched, held, tokenising, batching and dead letters, and dead letters on disk.',
    ['place'],
  )
  readonly readingPaused = this.gauge('reading_paused', 'boolean', '1 while reading is paused because too much waits.')
  readonly trainingPaused = this.gauge(
    'training_paused',
    'boolean',
    '1 while no step begins, from POST /v1/admin/pause to resume or a restart.',
  )
  readonly assignedPartitions = this.gauge('assigned_partitions', 'partitions', 'Partitions that this daemon reads.')
  readonly offsetCommits = this.counter('offset_commits_total', 'commits', 'Commits of group offsets.')
  readonly retentionHeadroom = this.gauge(
    'retention_headroom_seconds',
    'seconds',
    'Least time over partitions until the log deletes a record that a restart would still need; below 0 it may be gone.',
  )

  readonly trainSteps = this.counter('train_steps_total', 'steps', 'Applied optimizer steps.')
  readonly trainTokens = this.counter('train_tokens_total', 'tokens', 'Trained tokens, without padding.')
  readonly stepDuration = this.histogram('step_duration_seconds', 'seconds', 'Time of one optimizer step.', SECONDS)
  readonly feedbackToStep = this.histogram(
    'feedback_to_step_seconds',
    'seconds',
    'From a vote in the log to the end of the step that learnt from it.',
    LATENCY,
  )
  readonly feedbackToPublish = this.histogram(
    'feedback_to_publish_seconds',
    'seconds',
    'From a vote in the log to the published adapter that learnt from it.',
    LATENCY,
  )
  readonly trainLoss = this.gauge('train_loss', 'nats', 'Loss of the last step.')
  readonly gradNorm = this.gauge('grad_norm', 'norm', 'Global gradient norm of the last step, before clipping.')
  readonly learningRate = this.gauge('learning_rate', 'rate', 'Learning rate of the last step.')
  readonly delta = this.gauge('delta', 'reward', 'Reward shift δ that the last step used.')
  readonly implicitReward = this.histogram(
    'implicit_reward',
    'reward',
    'Implicit reward β (log π − log π_ref) of trained events.',
    REWARD,
    ['label'],
  )
  readonly rewardMargin = this.gauge(
    'reward_margin',
    'reward',
    'Mean reward of thumbs-up minus mean reward of thumbs-down, of the last step that held both.',
  )
  readonly logRatio = this.histogram('log_ratio', 'nats', 'log π − log π_ref of trained completions.', LOG_RATIO)
  readonly klPerToken = this.gauge(
    'kl_per_token',
    'nats',
    'Mean log π − log π_ref per trained token, of the last step.',
  )
  readonly nonfiniteSteps = this.counter(
    'nonfinite_steps_total',
    'steps',
    'Steps that met a number that is not finite and changed nothing.',
  )
  readonly quarantinedEvents = this.counter(
    'quarantined_events_total',
    'events',
    'Events set aside because they gave a number that is not finite, or for want of memory.',
  )
  readonly blockLimit = this.gauge(
    'block_limit_tokens',
    'tokens',
    'Positions of the largest block that memory allowed; 0 as long as no block was refused.',
  )

  readonly densityRatioWeight = this.histogram(
    'density_ratio_weight',
    'weight',
    'Density-ratio weight w(x) of thumbs-down events.',
    WEIGHT,
  )
  readonly densityRatioClamped = this.counter(
    'density_ratio_clamped_total',
    'events',
    'Weights that hit ratio.min (low) or ratio.max (high).',
    ['bound'],
  )
  readonly effectiveSampleSize = this.gauge(
    'effective_sample_size_ratio',
    'ratio',
    'Effective share (Σw)² / (n Σw²) of the thumbs-down events of the last step.',
  )
  readonly classifierLogLoss = this.gauge(
    'classifier_log_loss',
    'nats',
    'Balanced log loss of the prompt classifier on prompts that it had not learnt from; 0.693 is chance.',
  )
  readonly classifierAuc = this.gauge(
    'classifier_auc_ratio',
    'ratio',
    'Chance that the classifier puts a thumbs-up prompt above a thumbs-down prompt that it had not learnt from either.',
  )
  readonly classifierCalibration = this.gauge(
    'classifier_calibration_error_ratio',
    'ratio',
    'Expected calibration error of the classifier on prompts that it had not learnt from, classes weighing the same.',
  )
  readonly classifierRawWeight = this.gauge(
    'density_ratio_raw_mean',
    'weight',
    'Mean of the density ratio over recent thumbs-down before clamping; 1 if the classifier is calibrated.',
  )
  readonly classifierReady = this.gauge(
    'classifier_ready',
    'boolean',
    '1 once the classifier has seen ratio.minPerClass events of both classes; w = 1 before.',
  )
  readonly classifierTrust = this.gauge(
    'classifier_trust_ratio',
    'ratio',
    "How much of the classifier's logits is used: from 0, which gives w = 1, it rises as predictions prove themselves.",
  )
  readonly classifierRefused = this.gauge(
    'classifier_refused_prompts',
    'prompts',
    'Prompts without a usable embedding since the line began; they trained with w = 1.',
  )
  readonly embeddedPrompts = this.counter(
    'embedded_prompts_total',
    'prompts',
    'Prompts for which embeddings.url was needed: found in the cache, embedded, or failed.',
    ['outcome'],
  )
  readonly prequentialAccuracy = this.gauge(
    'prequential_accuracy_ratio',
    'ratio',
    'Share of events on the right side of δ before the step learnt from them.',
  )

  readonly checkpointLastSuccess = this.gauge(
    'checkpoint_last_success_timestamp_seconds',
    'seconds since 1970',
    'When the last checkpoint was complete.',
  )
  readonly checkpointDuration = this.histogram(
    'checkpoint_duration_seconds',
    'seconds',
    'Time to write one checkpoint.',
    SECONDS,
  )
  readonly checkpointFreeBytes = this.gauge('checkpoint_free_bytes', 'bytes', 'Free space where checkpoints are kept.')
  readonly adapterPublish = this.counter(
    'adapter_publish_total',
    'adapters',
    'Adapters that were published, rejected by a gate, or could not be written.',
    ['outcome'],
  )
  readonly adapterVersion = this.gauge('adapter_version', 'version', 'Number of the live adapter version.')

  readonly compileDuration = this.histogram(
    'compile_duration_seconds',
    'seconds',
    'Time to compile one program.',
    COMPILE,
  )
  readonly deviceMemory = this.gauge(
    'device_memory_bytes',
    'bytes',
    'Memory of the training device that this process uses: its resident memory on a CPU; of a GPU, see DCGM.',
  )
  readonly tensors = this.gauge(
    'tensors',
    'tensors',
    'Tensor handles alive in the engine; flat unless something leaks.',
  )

  readonly lifecycleState = this.gauge(
    'lifecycle_state',
    'boolean',
    '1 for the state that the daemon is in, 0 for the others.',
    ['state'],
  )
  readonly httpRefused = this.counter(
    'http_refused_total',
    'refusals',
    "What the port turned away: host (a name that is not the port's), token (a wrong admin token), watcher and connection (displaced by a newer one), pipelining (requests that do not wait for answers), accept (the system had no descriptor).",
    ['reason'],
  )
  readonly buildInfo = this.gauge('build_info', 'boolean', 'Always 1; the version is in the labels.', [
    'version',
    'node',
  ])
  readonly configInfo = this.gauge('config_info', 'boolean', 'Always 1; what shapes learning is in the labels.', [
    'mode',
    'reduction',
    'ratio',
    'dtype',
    'executor',
    'schedule',
  ])

  constructor() {
    for (const label of ['up', 'down', 'retract']) this.feedbackEvents.inc({ label }, 0)
    for (const reason of Object.keys(DROP_REASONS)) this.feedbackDropped.inc({ reason }, 0)
    for (const code of DEAD_LETTER_CODES) this.deadLetters.inc({ code }, 0)
    for (const code of BATCH_CODES) this.unreadableRecords.inc({ code }, 0)
    for (const outcome of Object.keys(EMBEDDING_OUTCOMES)) this.embeddedPrompts.inc({ outcome }, 0)
    for (const bound of ['low', 'high']) this.densityRatioClamped.inc({ bound }, 0)
    for (const outcome of ['published', 'rejected', 'failed']) this.adapterPublish.inc({ outcome }, 0)
    for (const state of LIFECYCLE_STATES) this.lifecycleState.set({ state }, 0)
    for (const reason of REFUSALS) this.httpRefused.inc({ reason }, 0)
    for (const label of ['up', 'down']) this.implicitReward.zero({ label })
    this.readingPaused.set(0)
    this.trainingPaused.set(0)
    this.blockLimit.set(0)
  }

  /** Adds what prom-client knows of the process: CPU, memory, file descriptors, event-loop lag, garbage collection. */
  collectProcess(): void {
    collectDefaultMetrics({ register: this.registry, eventLoopMonitoringPrecision: 50 })
    // gauges that are named like counters; the same figures are there by type, without the suffix
    for (const kind of ['handles', 'requests', 'resources'])
      this.registry.removeSingleMetric(`nodejs_active_${kind}_total`)
  }

  /** The exposition text for Prometheus. */
  text(): Promise<string> {
    return this.registry.metrics()
  }

  get contentType(): string {
    return this.registry.contentType
  }

  private counter<Label extends string = never>(
    name: string,
    unit: string,
    help: string,
    labels: readonly Label[] = [],
  ) {
    this.catalogue.push({ name: `bcod_${name}`, type: 'counter', labels, unit, help })
    return new Counter<Label>({ name: `bcod_${name}`, help, labelNames: labels, registers: [this.registry] })
  }

  private gauge<Label extends string = never>(name: string, unit: string, help: string, labels: readonly Label[] = []) {
    this.catalogue.push({ name: `bcod_${name}`, type: 'gauge', labels, unit, help })
    const gauge = new Gauge<Label>({ name: `bcod_${name}`, help, labelNames: labels, registers: [this.registry] })
    if (labels.length === 0) gauge.remove() // prom-client would start it at 0
    return gauge
  }

  private histogram<Label extends string = never>(
    name: string,
    unit: string,
    help: string,
    buckets: readonly number[],
    labels: readonly Label[] = [],
  ) {
    this.catalogue.push({ name: `bcod_${name}`, type: 'histogram', labels, unit, help })
    return new Histogram<Label>({
      name: `bcod_${name}`,
      help,
      labelNames: labels,
      buckets: [...buckets],
      registers: [this.registry],
    })
  }
}

/** Observes every finite number; a histogram has no bucket for others, and NonFiniteStep counts them. */
export function observeAll<Label extends string>(
  histogram: Histogram<Label>,
  values: readonly number[],
  labels: Partial<Record<Label, string>> = {},
): void {
  for (const value of values) if (Number.isFinite(value)) histogram.observe(labels, value)
}

const SECONDS = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60]
const LATENCY = [1, 2.5, 5, 10, 20, 30, 45, 60, 90, 120, 300, 600, 1800, 3600, 21_600, 86_400]
const COMPILE = [0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600]
const REWARD = [-10, -5, -2, -1, -0.5, -0.2, -0.1, 0, 0.1, 0.2, 0.5, 1, 2, 5, 10]
const LOG_RATIO = [-100, -50, -20, -10, -5, -2, -1, 0, 1, 2, 5, 10, 20, 50, 100]
const WEIGHT = [0.1, 0.25, 0.5, 0.75, 0.9, 1, 1.1, 1.25, 1.5, 2, 3, 5, 7.5, 10, 20]

const EMBEDDING_OUTCOMES: Readonly<Record<EmbeddingOutcome, true>> = { cached: true, embedded: true, failed: true }

const DROP_REASONS: Readonly<Record<DropReason, true>> = {
  duplicate: true,
  superseded: true,
  repeat: true,
  retraction: true,
  retracted: true,
  tombstone: true,
  source_refused: true,
  other_shard: true,
  stale: true,
  completion_too_long: true,
  prompt_cap: true,
  user_cap: true,
}

/** What can be wrong with one record, from its bytes to its step. */
/** Why a whole batch of records becomes one dead letter. */
const BATCH_CODES: readonly ErrorCode[] = ['KAFKA_BATCH_DAMAGED', 'KAFKA_BATCH_TOO_LARGE', 'KAFKA_CODEC_UNKNOWN']

const DEAD_LETTER_CODES: readonly ErrorCode[] = [
  ...BATCH_CODES,
  'FEEDBACK_NOT_JSON',
  'FEEDBACK_INVALID',
  'FEEDBACK_TOO_LARGE',
  'FEEDBACK_UNREADABLE',
  'TEXT_WITHOUT_TOKENIZER',
  'TOKENIZE_FAILED',
  'CHAT_TEMPLATE_MISSING',
  'CHAT_TEMPLATE_FAILED',
  'TEXT_TIMEOUT',
  'TEXT_PROCESS_ENDED',
  'TRAIN_NONFINITE',
  'TRAIN_OUT_OF_MEMORY',
]
