import type { Cause } from '../../adapters/moves/move.js'
import { DURATION_BUCKETS, LATENCY_BUCKETS, type MetricSet } from './metric-set.js'

/** What `rollbacks_total` calls each move that is a rollback; no other is one. */
export const ROLLBACK_CAUSES = { 'rolled back': 'operator', 'canary rolled back': 'canary' } as const satisfies Partial<
  Record<Cause, string>
>

/** Metrics of checkpoints and published adapters. */
export function storageMetrics(set: MetricSet) {
  const metrics = {
    feedbackToPublish: set.histogram(
      'feedback_to_publish_seconds',
      'seconds',
      'From a vote in the log to the published adapter that learnt from it.',
      LATENCY_BUCKETS,
    ),
    checkpointLastSuccess: set.gauge(
      'checkpoint_last_success_timestamp_seconds',
      'seconds since 1970',
      'When the last checkpoint was complete.',
    ),
    checkpointDuration: set.histogram(
      'checkpoint_duration_seconds',
      'seconds',
      'Time to write one checkpoint.',
      DURATION_BUCKETS,
    ),
    checkpointFreeBytes: set.gauge('checkpoint_free_bytes', 'bytes', 'Free space where checkpoints are kept.'),
    adapterPublish: set.counter(
      'adapter_publish_total',
      'adapters',
      'Adapters that were published, made the canary, held back (registry frozen or pinned, version rolled back, another canary under test), rejected, or could not be written.',
      ['outcome'],
    ),
    gateChecks: set.counter(
      'gate_checks_total',
      'checks',
      'Checks of candidates by the gate: passed, refused, skipped because there was nothing to compare with, or error because it could not be run.',
      ['check', 'outcome'],
    ),
    gateDuration: set.histogram(
      'gate_duration_seconds',
      'seconds',
      'Time to gate one candidate, with its hooks.',
      DURATION_BUCKETS,
    ),
    adapterVersion: set.gauge('adapter_version', 'version', 'Number of the live adapter version.'),
    adapterState: set.gauge('adapter_state', 'versions', 'Versions of the registry by what has become of them.', [
      'state',
    ]),
    abandonedVotes: set.counter(
      'abandoned_votes_total',
      'votes',
      'Votes that had trained and are no longer in the weights, because learning went on from an older version.',
    ),
    rollbacks: set.counter(
      'rollbacks_total',
      'rollbacks',
      'Rollbacks of the live adapter by an operator, and of a canary by its votes.',
      ['cause'],
    ),
  }
  for (const cause of Object.values(ROLLBACK_CAUSES)) metrics.rollbacks.inc({ cause }, 0)
  for (const outcome of ['published', 'canary', 'held', 'rejected', 'failed'])
    metrics.adapterPublish.inc({ outcome }, 0)
  return metrics
}
