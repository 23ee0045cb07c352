import type { MetricSet } from './metric-set.js'

/** Metrics of the servers that load published versions. */
export const servingMetrics = (set: MetricSet) => ({
  servedVersion: set.gauge(
    'served_version',
    'version',
    'Number of the newest version that a model server has loaded of those it should; absent while it does not answer.',
    ['target'],
  ),
  mismatch: set.gauge(
    'serving_mismatch',
    'boolean',
    '1 while a model server does not serve the live version as the learner computes it, 0 otherwise.',
    ['target'],
  ),
})
