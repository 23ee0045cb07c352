import type { MetricSet } from './metric-set.js'

/** Metrics of votes by the arm that answered, of canaries and of uplift. */
export function armMetrics(set: MetricSet) {
  const metrics = {
    votes: set.counter(
      'arm_votes_total',
      'votes',
      'Votes that count for an arm: control, live or canary. A vote that changes is counted once.',
      ['arm', 'label'],
    ),
    unmatched: set.counter(
      'arm_votes_unmatched_total',
      'votes',
      "Votes that count for no arm: their version is no arm's (version), is not that of their user's arm (user), or they name another arm or, without a user, none (arm).",
      ['reason'],
    ),
    upRatio: set.gauge(
      'arm_up_ratio',
      'ratio',
      'Share of thumbs-up of an arm: of control and live in the present period, of the canary in its test.',
      ['arm'],
    ),
    uplift: set.gauge(
      'uplift_ratio',
      'ratio',
      'Thumbs-up rate of live less that of control: what all learning together has gained.',
    ),
    upliftLow: set.gauge('uplift_low', 'ratio', 'Lower end of the interval of the uplift.'),
    upliftHigh: set.gauge(
      'uplift_high',
      'ratio',
      'Upper end of the interval of the uplift. Below 0, learning has harmed.',
    ),
    canaries: set.counter(
      'canaries_total',
      'canaries',
      'Tests of canaries that have ended: promoted, worse and rolled back, undecided after canary.maxDuration, or ended by a person.',
      ['outcome'],
    ),
  }
  for (const outcome of ['promoted', 'worse', 'undecided', 'ended']) metrics.canaries.inc({ outcome }, 0)
  for (const reason of ['version', 'user', 'arm']) metrics.unmatched.inc({ reason }, 0)
  for (const arm of ['control', 'live', 'canary'])
    for (const label of ['up', 'down']) metrics.votes.inc({ arm, label }, 0)
  return metrics
}
