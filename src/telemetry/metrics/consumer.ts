import type { MetricSet } from './metric-set.js'

/** Metrics of the Kafka consumer. */
export const consumerMetrics = (set: MetricSet) => ({
  consumerLag: set.gauge(
    'consumer_lag_records',
    'records',
    'Records of each assigned partition that are not acknowledged: unread, held back, or waiting for a step.',
    ['partition'],
  ),
  uncommittedRecords: set.gauge(
    'uncommitted_records',
    'records',
    'Records of each assigned partition behind an open transaction, which cannot be read yet.',
    ['partition'],
  ),
  uncommittedSeconds: set.gauge(
    'uncommitted_seconds',
    'seconds',
    'How long the last stable offset has not moved because of an open transaction; the longest over partitions.',
  ),
  assignedPartitions: set.gauge('assigned_partitions', 'partitions', 'Partitions that this daemon reads.'),
  offsetCommits: set.counter('offset_commits_total', 'commits', 'Commits of group offsets.'),
  retentionHeadroom: set.gauge(
    'retention_headroom_seconds',
    'seconds',
    'Shortest time over partitions until the log deletes a record that a restart would still need; below 0 it may be gone.',
  ),
})
