import { REFUSALS } from '../../server/refusals.js'
import { LIFECYCLE_STATES } from '../lifecycle.js'
import type { MetricSet } from './metric-set.js'

/** Metrics of the process and its HTTP port. */
export function daemonMetrics(set: MetricSet) {
  const metrics = {
    lifecycleState: set.gauge(
      'lifecycle_state',
      'boolean',
      '1 for the state that the daemon is in, 0 for the others.',
      ['state'],
    ),
    httpRefused: set.counter(
      'http_refused_total',
      'refusals',
      "Requests and connections that were refused: host (a name that is not the port's), token (a wrong admin token), watcher and connection (displaced by a newer one), pipelining (requests sent without waiting for answers), accept (no file descriptor left).",
      ['reason'],
    ),
    buildInfo: set.gauge('build_info', 'boolean', 'Always 1; the version is in the labels.', ['version', 'node']),
    configInfo: set.gauge('config_info', 'boolean', 'Always 1; what shapes learning is in the labels.', [
      'mode',
      'reduction',
      'ratio',
      'dtype',
      'executor',
      'schedule',
    ]),
    executionInfo: set.gauge(
      'execution_info',
      'boolean',
      'Always 1; how the programs run is in the labels, and whether that is by rule, measured, or as the lineage began (source).',
      ['executor', 'kernels', 'threads', 'inter_op_threads', 'source'],
    ),
  }
  for (const state of LIFECYCLE_STATES) metrics.lifecycleState.set({ state }, 0)
  for (const reason of REFUSALS) metrics.httpRefused.inc({ reason }, 0)
  return metrics
}
