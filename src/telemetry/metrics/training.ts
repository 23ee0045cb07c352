import { DURATION_BUCKETS, LATENCY_BUCKETS, type MetricSet } from './metric-set.js'

/** Metrics of optimizer steps and the engine. */
export function trainingMetrics(set: MetricSet) {
  const metrics = {
    trainingPaused: set.gauge(
      'training_paused',
      'boolean',
      '1 while training is paused, from POST /v1/admin/pause to resume or a restart, from a guard to resume, or from a rollback to adapters resume.',
    ),
    guardTripped: set.gauge(
      'guard_tripped',
      'boolean',
      '1 from the step at which this guard paused training until a person resumes it.',
      ['guard'],
    ),
    trainSteps: set.counter('train_steps_total', 'steps', 'Applied optimizer steps.'),
    trainTokens: set.counter('train_tokens_total', 'tokens', 'Trained tokens, without padding.'),
    stepDuration: set.histogram('step_duration_seconds', 'seconds', 'Time of one optimizer step.', DURATION_BUCKETS),
    feedbackToStep: set.histogram(
      'feedback_to_step_seconds',
      'seconds',
      'From a vote in the log to the end of the step that learnt from it.',
      LATENCY_BUCKETS,
    ),
    trainLoss: set.gauge('train_loss', 'nats', 'Loss of the last step.'),
    gradNorm: set.gauge('grad_norm', 'norm', 'Global gradient norm of the last step, before clipping.'),
    learningRate: set.gauge('learning_rate', 'rate', 'Learning rate of the last step.'),
    delta: set.gauge('delta', 'reward', 'Reward shift δ that the last step used.'),
    implicitReward: set.histogram(
      'implicit_reward',
      'reward',
      'Implicit reward β (log π − log π_ref) of trained events.',
      REWARD,
      ['label'],
    ),
    rewardMargin: set.gauge(
      'reward_margin',
      'reward',
      'Mean reward of thumbs-up minus mean reward of thumbs-down, of the last step that held both.',
    ),
    logRatio: set.histogram('log_ratio', 'nats', 'log π − log π_ref of trained completions.', LOG_RATIO),
    klPerToken: set.gauge('kl_per_token', 'nats', 'Mean log π − log π_ref per trained token, of the last step.'),
    prequentialAccuracy: set.gauge(
      'prequential_accuracy_ratio',
      'ratio',
      'Share of events on the right side of δ before the step learnt from them.',
    ),
    nonfiniteSteps: set.counter(
      'nonfinite_steps_total',
      'steps',
      'Steps that met a non-finite number and changed nothing.',
    ),
    quarantinedEvents: set.counter(
      'quarantined_events_total',
      'events',
      'Events quarantined because they gave a non-finite number, or because the device ran out of memory.',
    ),
    blockLimit: set.gauge(
      'block_limit_tokens',
      'tokens',
      'Positions of the largest block that memory allowed; 0 as long as no block was refused.',
    ),
    referenceBeginnings: set.counter(
      'reference_beginnings_total',
      'beginnings',
      'Beginnings that several events of a step share, of 256 tokens or more: known to the reference, or computed.',
      ['outcome'],
    ),
    referenceCache: set.gauge(
      'reference_cache_bytes',
      'bytes',
      'Memory of the beginnings that the reference keeps, at most model.referenceCache.',
    ),
    compileDuration: set.histogram('compile_duration_seconds', 'seconds', 'Time to compile one program.', COMPILE),
    deviceMemory: set.gauge(
      'device_memory_bytes',
      'bytes',
      'Memory of the training device that this process uses: its resident memory on a CPU; of a GPU, see DCGM.',
    ),
    placeUsed: set.gauge(
      'place_used',
      'boolean',
      '1 for a place (of devices, from 0) that computes batches; 0 for a worker that is away or was lost, and for what computed other bits than the first.',
      ['place'],
    ),
    placeDropped: set.counter(
      'place_dropped_total',
      'places',
      'Times that a place was left out, by the code of the reason; a worker that answers again is taken back after a checkpoint.',
      ['place', 'code'],
    ),
    placeBusy: set.counter(
      'place_busy_seconds_total',
      'seconds',
      'Time that a place has run programs, as of the last checkpoint.',
      ['place'],
    ),
    placeWait: set.counter(
      'place_wait_seconds_total',
      'seconds',
      'Time that a place had nothing to run while batches were computed or answers sampled, as of the last checkpoint: it waited for the others or the host.',
      ['place'],
    ),
    placeBytes: set.counter(
      'place_link_bytes_total',
      'bytes',
      'Values that a place of a worker has been sent and has given back, as of the last checkpoint: what a batch takes and computes, its gradient, and the adapter. Not what goes between stages.',
      ['place'],
    ),
    tensors: set.gauge('tensors', 'tensors', 'Tensor handles alive in the engine; flat unless something leaks.'),
  }
  for (const label of ['up', 'down']) metrics.implicitReward.zero({ label })
  metrics.trainingPaused.set(0)
  for (const guard of ['kl', 'margin', 'delta', 'up_rate']) metrics.guardTripped.set({ guard }, 0)
  metrics.blockLimit.set(0)
  for (const outcome of ['known', 'computed']) metrics.referenceBeginnings.inc({ outcome }, 0)
  metrics.referenceCache.set(0)
  return metrics
}

const COMPILE = [0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600]
const REWARD = [-10, -5, -2, -1, -0.5, -0.2, -0.1, 0, 0.1, 0.2, 0.5, 1, 2, 5, 10]
const LOG_RATIO = [-100, -50, -20, -10, -5, -2, -1, 0, 1, 2, 5, 10, 20, 50, 100]
