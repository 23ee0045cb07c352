/** Values of series by name and own labels, a sample a minute, in promtool's notation: `start+step x count`. */
export type Samples = Readonly<Record<string, string>>

/** One course of events, and whether the alert fires at a time of it. */
export interface AlertCase {
  readonly what: string
  readonly samples: Samples
  readonly at: string
  /** How many alerts of the name fire. */
  readonly fires: number
}

/** `minutes` of one value. */
export const flat = (value: number, minutes: number): string => `${value}+0x${minutes}`

/** `minutes` of a line. */
export const line = (start: number, step: number, minutes: number): string =>
  `${start}${step < 0 ? '-' : '+'}${Math.abs(step)}x${minutes}`

const HOURS = 60
const steps = (perMinute: number, minutes = 10 * HOURS): Samples => ({
  bcod_train_steps_total: line(0, perMinute, minutes),
})
const votes = (up: number, down: number, minutes = 10 * HOURS): Samples => ({
  'bcod_feedback_events_total{label="up"}': line(0, up, minutes),
  'bcod_feedback_events_total{label="down"}': line(0, down, minutes),
  'bcod_feedback_events_total{label="retract"}': flat(0, minutes),
})
const lag = (samples: string): Samples => ({
  'bcod_consumer_lag_records{partition="0"}': samples,
  'bcod_consumer_lag_records{partition="1"}': flat(0, 10 * HOURS),
})

const refusals = (reason: string, samples: string): Samples => ({
  [`bcod_http_refused_total{reason="${reason}"}`]: samples,
})

const mismatch = (samples: string): Samples => ({
  'bcod_serving_mismatch{target="gpu-1:8000"}': samples,
  'bcod_serving_mismatch{target="gpu-2:8000"}': flat(0, 30),
})

/** Requests to a gateway that were answered, and that failed. */
const requests = (answered: string, failed: string): Samples => ({
  'bcod_gateway_requests_total{route="/v1/chat/completions",status="200"}': answered,
  'bcod_gateway_requests_total{route="/v1/chat/completions",status="502"}': failed,
})

/** Votes that came to a gateway, by outcome. */
const ballots = (outcomes: Readonly<Record<string, string>>): Samples =>
  Object.fromEntries(
    Object.entries(outcomes).map(([outcome, values]) => [`bcod_gateway_votes_total{outcome="${outcome}"}`, values]),
  )

/** Answers that went into the log, and those among them that cannot be voted on. */
const answers = (logged: string, unvotable: Readonly<Record<string, string>>): Samples => ({
  'bcod_gateway_completions_logged_total{outcome="logged"}': logged,
  ...Object.fromEntries(
    Object.entries(unvotable).map(([reason, values]) => [`bcod_gateway_unvotable_total{reason="${reason}"}`, values]),
  ),
})

const GIB = 2 ** 30

/** Cases of each alert: at least one in which it fires and one in which it does not. */
export const CASES: Readonly<Record<string, readonly AlertCase[]>> = {
  BcodDown: [
    { what: 'the scrape fails for 5 minutes', samples: { up: '1+0x5 0+0x20' }, at: '15m', fires: 1 },
    { what: 'the target is gone', samples: { bcod_delta: flat(0, 20) }, at: '10m', fires: 1 },
    {
      what: 'the target is gone although one is wanted',
      samples: { 'kube_statefulset_replicas{statefulset="bcod"}': flat(1, 20) },
      at: '10m',
      fires: 1,
    },
    {
      what: 'the target is gone because none is wanted',
      samples: { 'kube_statefulset_replicas{statefulset="bcod"}': flat(0, 20) },
      at: '10m',
      fires: 0,
    },
    { what: 'a restart of 3 minutes', samples: { up: '1+0x5 0+0x2 1+0x20' }, at: '9m', fires: 0 },
  ],
  BcodNoProgress: [
    { what: 'votes wait and no step comes', samples: { ...lag(flat(3, 60)), ...steps(0) }, at: '40m', fires: 1 },
    { what: 'votes wait and steps come', samples: { ...lag(flat(3, 60)), ...steps(1) }, at: '40m', fires: 0 },
    { what: 'nothing waits', samples: { ...lag(flat(0, 60)), ...steps(0) }, at: '40m', fires: 0 },
    {
      what: 'votes wait while training is paused',
      samples: { ...lag(flat(3, 60)), ...steps(0), bcod_training_paused: flat(1, 60) },
      at: '40m',
      fires: 0,
    },
    {
      what: 'votes wait, and training is not paused',
      samples: { ...lag(flat(3, 60)), ...steps(0), bcod_training_paused: flat(0, 60) },
      at: '40m',
      fires: 1,
    },
    {
      what: 'a first vote after a quiet night',
      samples: { ...lag('0+0x500 1+0x1 0+0x60'), ...{ bcod_train_steps_total: '7+0x501 8+0x60' } },
      at: '502m',
      fires: 0,
    },
  ],
  BcodTrainingPaused: [
    { what: 'an hour and more', samples: { bcod_training_paused: flat(1, 90) }, at: '70m', fires: 1 },
    { what: 'half an hour, and resumed', samples: { bcod_training_paused: '1+0x30 0+0x60' }, at: '70m', fires: 0 },
    { what: 'never', samples: { bcod_training_paused: flat(0, 90) }, at: '70m', fires: 0 },
  ],
  BcodGuardTripped: [
    { what: 'after a minute', samples: { 'bcod_guard_tripped{guard="kl"}': '0+0x10 1+0x60' }, at: '13m', fires: 1 },
    { what: 'resumed', samples: { 'bcod_guard_tripped{guard="kl"}': '0+0x10 1+0x20 0+0x60' }, at: '40m', fires: 0 },
  ],
  BcodWorkerStuck: [
    {
      what: 'reading is paused because training is',
      samples: { bcod_reading_paused: flat(1, 60), ...steps(0), bcod_training_paused: flat(1, 60) },
      at: '30m',
      fires: 0,
    },
    {
      what: 'reading is paused and no step comes',
      samples: { bcod_reading_paused: flat(1, 60), ...steps(0) },
      at: '30m',
      fires: 1,
    },
    {
      what: 'reading is paused and steps come',
      samples: { bcod_reading_paused: flat(1, 60), ...steps(2) },
      at: '30m',
      fires: 0,
    },
    {
      what: 'the first step compiles for 8 minutes',
      samples: { bcod_reading_paused: flat(1, 60), bcod_train_steps_total: '0+0x8 1+1x40' },
      at: '12m',
      fires: 0,
    },
  ],
  BcodHandleLeak: [
    {
      what: 'handles rise by one a minute',
      samples: { bcod_tensors: line(400, 1, 600), process_start_time_seconds: flat(0, 600) },
      at: '8h',
      fires: 1,
    },
    {
      what: 'handles rise once, with new shapes, and stay',
      samples: { bcod_tensors: '400+0x60 700+0x540', process_start_time_seconds: flat(0, 600) },
      at: '8h',
      fires: 0,
    },
    {
      what: 'a restart with more handles than before',
      samples: { bcod_tensors: '400+0x300 700+0x300', process_start_time_seconds: '0+0x300 18000+0x300' },
      at: '8h',
      fires: 0,
    },
  ],
  BcodAdminTokenGuessed: [
    { what: 'somebody guesses', samples: refusals('token', line(0, 120, 60)), at: '30m', fires: 1 },
    { what: 'a script has an old token', samples: refusals('token', line(0, 1, 60)), at: '30m', fires: 0 },
    { what: 'requests under another name', samples: refusals('host', line(0, 120, 60)), at: '30m', fires: 0 },
  ],
  BcodPortCrowded: [
    { what: 'somebody holds connections open', samples: refusals('connection', line(0, 100, 60)), at: '40m', fires: 1 },
    { what: 'no descriptor is free', samples: refusals('accept', line(0, 100, 60)), at: '40m', fires: 1 },
    { what: 'a few too many at times', samples: refusals('connection', line(0, 1, 60)), at: '40m', fires: 0 },
    { what: 'watchers make room', samples: refusals('watcher', line(0, 100, 60)), at: '40m', fires: 0 },
  ],
  BcodPlaceUnused: [
    {
      what: 'a worker is away',
      samples: { 'bcod_place_used{place="0"}': '1+0x60', 'bcod_place_used{place="1"}': '1+0x20 0+0x40' },
      at: '40m',
      fires: 1,
    },
    {
      what: 'a worker is taken back at a checkpoint',
      samples: { 'bcod_place_used{place="1"}': '1+0x20 0+0x10 1+0x30' },
      at: '40m',
      fires: 0,
    },
  ],
  BcodLagGrowing: [
    {
      what: 'votes come three times as fast as they are learnt',
      samples: { ...lag(line(0, 200, 300)), ...votes(200, 100) },
      at: '2h',
      fires: 1,
    },
    {
      what: 'a backlog is worked off',
      samples: { ...lag(line(60_000, -200, 250)), ...votes(200, 100) },
      at: '2h',
      fires: 0,
    },
    {
      what: 'traffic rises through the morning, and the lag with it',
      samples: { ...lag(line(100, 2, 300)), ...votes(200, 100) },
      at: '2h',
      fires: 0,
    },
  ],
  BcodTransactionOpen: [
    { what: 'one that hangs', samples: { bcod_uncommitted_seconds: line(0, 60, 30) }, at: '10m', fires: 1 },
    {
      what: 'a pipeline that commits every 2 minutes',
      samples: { bcod_uncommitted_seconds: '0+60x2 0+60x2 0+60x2 0+60x2' },
      at: '11m',
      fires: 0,
    },
    { what: 'none', samples: { bcod_uncommitted_seconds: flat(0, 30) }, at: '20m', fires: 0 },
  ],
  BcodRetentionHeadroomLow: [
    {
      what: 'a vote that waits has 20 minutes left',
      samples: { bcod_retention_headroom_seconds: flat(1200, 60), ...lag(flat(500, 60)) },
      at: '30m',
      fires: 1,
    },
    {
      what: 'a vote that waits has a day left',
      samples: { bcod_retention_headroom_seconds: flat(86_400, 60), ...lag(flat(500, 60)) },
      at: '30m',
      fires: 0,
    },
    {
      what: 'a topic that keeps half an hour, all of it learnt',
      samples: { bcod_retention_headroom_seconds: flat(1800, 60), ...lag(flat(0, 60)) },
      at: '30m',
      fires: 0,
    },
  ],
  BcodOneClassOnly: [
    { what: 'no thumbs-down for 3 hours', samples: votes(2, 0), at: '3h', fires: 1 },
    { what: 'one thumbs-down in a hundred', samples: votes(4, 0.04), at: '3h', fires: 0 },
    { what: 'few votes, all alike', samples: votes(0.2, 0), at: '3h', fires: 0 },
  ],
  BcodDropRateHigh: [
    {
      what: 'half of the votes are duplicates',
      samples: { ...votes(10, 10), 'bcod_feedback_dropped_total{reason="duplicate"}': line(0, 10, 600) },
      at: '1h',
      fires: 1,
    },
    {
      what: 'half of the votes are another daemon’s, or changed minds',
      samples: {
        ...votes(10, 10),
        'bcod_feedback_dropped_total{reason="other_shard"}': line(0, 10, 600),
        'bcod_feedback_dropped_total{reason="superseded"}': line(0, 5, 600),
        'bcod_feedback_dropped_total{reason="user_cap"}': line(0, 1, 600),
      },
      at: '1h',
      fires: 0,
    },
  ],
  BcodDeadLettersGrowing: [
    {
      what: 'a producer sends what is not valid',
      samples: { ...votes(10, 10), 'bcod_dead_letters_total{code="FEEDBACK_INVALID"}': line(0, 2, 600) },
      at: '1h',
      fires: 1,
    },
    {
      what: 'two kinds of invalid records and no valid one',
      samples: {
        ...votes(0, 0),
        'bcod_dead_letters_total{code="FEEDBACK_INVALID"}': line(0, 2, 600),
        'bcod_dead_letters_total{code="FEEDBACK_NOT_JSON"}': line(0, 1, 600),
      },
      at: '1h',
      fires: 2,
    },
    {
      what: 'one record in a thousand',
      samples: { ...votes(1000, 1000), 'bcod_dead_letters_total{code="FEEDBACK_INVALID"}': line(0, 2, 600) },
      at: '1h',
      fires: 0,
    },
  ],
  BcodNonFinite: [
    { what: 'a step meets one', samples: { bcod_nonfinite_steps_total: '0+0x20 1+0x60' }, at: '25m', fires: 1 },
    {
      what: 'one was met long ago',
      samples: { bcod_nonfinite_steps_total: '0+0x20 1+0x120' },
      at: '90m',
      fires: 0,
    },
  ],
  BcodGateRefused: [
    {
      what: 'a probe refuses a candidate',
      samples: { 'bcod_gate_checks_total{check="probe:flattery",outcome="refused"}': '0+0x20 1+0x60' },
      at: '25m',
      fires: 1,
    },
    {
      what: 'two checks cannot be run',
      samples: {
        'bcod_gate_checks_total{check="exec:ours",outcome="error"}': '0+0x20 1+0x60',
        'bcod_gate_checks_total{check="webhook:theirs",outcome="error"}': '0+0x20 2+0x60',
      },
      at: '25m',
      fires: 2,
    },
    {
      what: 'every candidate passes',
      samples: {
        'bcod_gate_checks_total{check="finite",outcome="passed"}': line(0, 2, 60),
        'bcod_gate_checks_total{check="finite",outcome="refused"}': flat(0, 60),
      },
      at: '40m',
      fires: 0,
    },
    {
      what: 'one was refused long ago',
      samples: { 'bcod_gate_checks_total{check="probe:flattery",outcome="refused"}': '0+0x20 1+0x120' },
      at: '90m',
      fires: 0,
    },
  ],
  BcodMarginCollapsed: [
    {
      what: 'the margin falls from 1.2 to 0.05',
      samples: { bcod_reward_margin: '1.2+0x420 0.05+0x180', ...steps(1), bcod_adapter_version: flat(900, 600) },
      at: '9h',
      fires: 1,
    },
    {
      what: 'the margin is below 0',
      samples: { bcod_reward_margin: flat(-0.2, 600), ...steps(1), bcod_adapter_version: flat(900, 600) },
      at: '3h',
      fires: 1,
    },
    {
      what: 'a new adapter is still around 0',
      samples: { bcod_reward_margin: flat(-0.001, 600), ...steps(1), bcod_adapter_version: line(0, 1, 600) },
      at: '3h',
      fires: 0,
    },
    {
      what: 'the margin halves',
      samples: { bcod_reward_margin: '1.2+0x420 0.6+0x180', ...steps(1), bcod_adapter_version: flat(900, 600) },
      at: '9h',
      fires: 0,
    },
    {
      what: 'the last of few steps was a poor one',
      samples: { bcod_reward_margin: flat(-0.2, 600), ...steps(0.1), bcod_adapter_version: flat(900, 600) },
      at: '3h',
      fires: 0,
    },
  ],
  BcodDeltaRunaway: [
    { what: 'δ stands at −6', samples: { bcod_delta: flat(-6, 600), ...steps(1) }, at: '2h', fires: 1 },
    { what: 'δ moves by 3 in an hour', samples: { bcod_delta: line(0, 0.05, 600), ...steps(1) }, at: '90m', fires: 1 },
    { what: 'δ settles at 0.3', samples: { bcod_delta: flat(0.3, 600), ...steps(1) }, at: '2h', fires: 0 },
    { what: 'δ stood at −6 when votes ended', samples: { bcod_delta: flat(-6, 600), ...steps(0) }, at: '2h', fires: 0 },
  ],
  BcodEffectiveSampleSizeLow: [
    {
      what: 'it is 0.12 for an hour',
      samples: { bcod_effective_sample_size_ratio: flat(0.12, 600), ...steps(2) },
      at: '2h',
      fires: 1,
    },
    {
      what: 'it is 0.6',
      samples: { bcod_effective_sample_size_ratio: flat(0.6, 600), ...steps(2) },
      at: '2h',
      fires: 0,
    },
    {
      what: 'it was 0.12 when votes ended',
      samples: { bcod_effective_sample_size_ratio: flat(0.12, 600), ...steps(0) },
      at: '2h',
      fires: 0,
    },
  ],
  BcodClassifierUseless: [
    {
      what: 'it is ready and not trusted',
      samples: { ...classifier(0, 0.52, 1), ...steps(1) },
      at: '9h',
      fires: 1,
    },
    {
      what: 'it ranks the wrong way round',
      samples: { ...classifier(0.6, 0.45, 1), ...steps(1) },
      at: '9h',
      fires: 1,
    },
    { what: 'it helps', samples: { ...classifier(0.9, 0.7, 1), ...steps(1) }, at: '9h', fires: 0 },
    { what: 'it has not seen enough', samples: { ...classifier(0, 0.5, 0), ...steps(1) }, at: '9h', fires: 0 },
  ],
  BcodCheckpointStale: [
    {
      what: 'checkpoints end while steps go on',
      samples: { ...steps(2), bcod_checkpoint_last_success_timestamp_seconds: `${line(0, 60, 60)} ${flat(3600, 60)}` },
      at: '100m',
      fires: 1,
    },
    { what: 'steps and never a checkpoint', samples: steps(2), at: '30m', fires: 1 },
    {
      what: 'a checkpoint a minute',
      samples: { ...steps(2), bcod_checkpoint_last_success_timestamp_seconds: line(0, 60, 600) },
      at: '100m',
      fires: 0,
    },
    {
      what: 'no votes, no checkpoints',
      samples: { ...steps(0), bcod_checkpoint_last_success_timestamp_seconds: flat(0, 600) },
      at: '100m',
      fires: 0,
    },
  ],
  BcodGatewayLogDown: [
    { what: 'Kafka is away for long', samples: { bcod_gateway_log_up: '1+0x5 0+0x30' }, at: '20m', fires: 1 },
    { what: 'a broker restarts', samples: { bcod_gateway_log_up: '1+0x5 0+0x3 1+0x30' }, at: '20m', fires: 0 },
  ],
  BcodGatewayRoutingStale: [
    { what: 'the daemon is away for long', samples: { bcod_gateway_routing_up: '1+0x5 0+0x60' }, at: '50m', fires: 1 },
    {
      what: 'there is no daemon because none is wanted',
      samples: { bcod_gateway_routing_up: flat(0, 60), 'kube_statefulset_replicas{statefulset="bcod"}': flat(0, 60) },
      at: '50m',
      fires: 0,
    },
    { what: 'a daemon restarts', samples: { bcod_gateway_routing_up: '1+0x5 0+0x10 1+0x60' }, at: '50m', fires: 0 },
  ],
  BcodGatewayUpstreamDown: [
    {
      what: 'one of two servers is down for long',
      samples: {
        'bcod_gateway_upstream_up{upstream="gpu-1:8000"}': flat(0, 30),
        'bcod_gateway_upstream_up{upstream="gpu-2:8000"}': flat(1, 30),
      },
      at: '20m',
      fires: 1,
    },
    {
      what: 'a server restarts',
      samples: { 'bcod_gateway_upstream_up{upstream="gpu-1:8000"}': '1+0x5 0+0x3 1+0x30' },
      at: '20m',
      fires: 0,
    },
  ],
  BcodGatewayVotesRefused: [
    {
      what: 'an application sends no tokens',
      samples: ballots({ accepted: line(0, 3, 120), VOTE_UNAUTHORISED: line(0, 2, 120) }),
      at: '110m',
      fires: 1,
    },
    {
      what: 'some come too late, and many are on pictures',
      samples: ballots({
        ...{ accepted: line(0, 5, 120), COMPLETION_EXPIRED: line(0, 0.5, 120) },
        COMPLETION_NOT_VOTABLE: line(0, 5, 120),
      }),
      at: '110m',
      fires: 0,
    },
    {
      what: 'one person plays with it',
      samples: ballots({ accepted: flat(90, 120), VOTE_TOKEN_INVALID: line(0, 0.5, 120) }),
      at: '110m',
      fires: 0,
    },
  ],
  BcodGatewayAnswersUnvotable: [
    {
      what: 'an application sends its own template',
      samples: answers(line(0, 10, 120), { template: line(0, 6, 120), cut: line(0, 1, 120) }),
      at: '110m',
      fires: 1,
    },
    {
      what: 'a product is about pictures, and users leave',
      samples: answers(line(0, 10, 120), { media: line(0, 6, 120), client_left: line(0, 4, 120) }),
      at: '110m',
      fires: 0,
    },
    {
      what: 'a few answers are cut',
      samples: answers(line(0, 10, 120), { cut: line(0, 2, 120) }),
      at: '110m',
      fires: 0,
    },
    {
      what: 'one person tries things',
      samples: answers(line(0, 0.5, 120), { template: line(0, 0.5, 120) }),
      at: '110m',
      fires: 0,
    },
  ],
  BcodGatewayErrors: [
    { what: 'one request in ten fails', samples: requests(line(0, 90, 60), line(0, 10, 60)), at: '40m', fires: 1 },
    { what: 'one in a hundred fails', samples: requests(line(0, 99, 60), line(0, 1, 60)), at: '40m', fires: 0 },
    { what: 'nobody asks', samples: requests(flat(1000, 60), flat(900, 60)), at: '40m', fires: 0 },
  ],
  BcodServingMismatch: [
    { what: 'one of two servers is down for long', samples: mismatch(flat(1, 30)), at: '20m', fires: 1 },
    { what: 'a server restarts', samples: mismatch('0+0x5 1+0x2 0+0x20'), at: '20m', fires: 0 },
    { what: 'all serve the live version', samples: mismatch(flat(0, 30)), at: '20m', fires: 0 },
  ],
  BcodPublishFailing: [
    {
      what: 'every version fails',
      samples: { ...publishing('failed', line(0, 1, 60)), ...publishing('published', flat(7, 60)) },
      at: '45m',
      fires: 1,
    },
    {
      what: 'one fails, and the next ones are published',
      samples: { ...publishing('failed', '0+0x10 1+0x50'), ...publishing('published', line(7, 1, 60)) },
      at: '25m',
      fires: 0,
    },
    {
      what: 'one has failed long ago, and no vote has come since',
      samples: { ...publishing('failed', '0+0x10 1+0x110'), ...publishing('published', flat(7, 120)) },
      at: '100m',
      fires: 0,
    },
  ],
  BcodCandidateStuck: [
    {
      what: 'steps go on, and no candidate comes to an end',
      samples: { ...candidates(3), ...steps(1), ...publishing('published', flat(7, 600)) },
      at: '3h',
      fires: 1,
    },
    {
      what: 'each candidate is published',
      samples: { ...candidates(1), ...steps(1), ...publishing('published', line(7, 1, 600)) },
      at: '3h',
      fires: 0,
    },
    {
      what: 'each candidate waits for a person',
      samples: { ...candidates(9), ...steps(1), ...publishing('held', line(0, 1, 600)) },
      at: '3h',
      fires: 0,
    },
    {
      what: 'a candidate is left when votes end',
      samples: { ...candidates(1), ...steps(0), ...publishing('published', flat(7, 600)) },
      at: '3h',
      fires: 0,
    },
  ],
  BcodRolledBack: [
    {
      what: 'an operator rolls back',
      samples: { 'bcod_rollbacks_total{cause="operator"}': '0+0x20 1+0x60' },
      at: '25m',
      fires: 1,
    },
    {
      what: 'it was two hours ago',
      samples: { 'bcod_rollbacks_total{cause="operator"}': '0+0x20 1+0x160' },
      at: '140m',
      fires: 0,
    },
    {
      what: 'it was a canary',
      samples: { 'bcod_rollbacks_total{cause="canary"}': '0+0x20 1+0x60' },
      at: '25m',
      fires: 0,
    },
  ],
  BcodCanaryWorse: [
    {
      what: 'a canary is rolled back',
      samples: { 'bcod_rollbacks_total{cause="canary"}': '0+0x20 1+0x60' },
      at: '25m',
      fires: 1,
    },
    {
      what: 'it was two hours ago',
      samples: { 'bcod_rollbacks_total{cause="canary"}': '0+0x20 1+0x160' },
      at: '140m',
      fires: 0,
    },
    {
      what: 'an operator rolls back',
      samples: { 'bcod_rollbacks_total{cause="operator"}': '0+0x20 1+0x60' },
      at: '25m',
      fires: 0,
    },
  ],
  BcodUpliftNegative: [
    { what: 'the interval is below 0', samples: { bcod_uplift_high: flat(-0.01, 120) }, at: '90m', fires: 1 },
    { what: 'it was for half an hour', samples: { bcod_uplift_high: '-0.01+0x30 0.01+0x60' }, at: '80m', fires: 0 },
    { what: '0 is within the interval', samples: { bcod_uplift_high: flat(0.02, 120) }, at: '90m', fires: 0 },
  ],
  BcodDiskLow: [
    { what: 'one GiB is left', samples: { bcod_checkpoint_free_bytes: flat(GIB, 60) }, at: '30m', fires: 1 },
    {
      what: '8 GiB are left, and half a GiB goes in an hour',
      samples: { bcod_checkpoint_free_bytes: line(11 * GIB, -GIB / 120, 600) },
      at: '6h',
      fires: 1,
    },
    {
      what: '8 GiB are left and stay',
      samples: { bcod_checkpoint_free_bytes: flat(8 * GIB, 600) },
      at: '6h',
      fires: 0,
    },
  ],
}

function classifier(trust: number, auc: number, ready: number): Samples {
  return {
    bcod_classifier_trust_ratio: flat(trust, 600),
    bcod_classifier_auc_ratio: flat(auc, 600),
    bcod_classifier_ready: flat(ready, 600),
  }
}

function publishing(outcome: string, values: string): Samples {
  return { [`bcod_adapter_publish_total{outcome="${outcome}"}`]: values }
}

function candidates(count: number): Samples {
  return { 'bcod_adapter_state{state="candidate"}': flat(count, 600) }
}

const twelveHours = 12 * HOURS

/** A daemon that learnt once, badly, and has had no vote since. */
export const IDLE: Samples = {
  ...{ up: flat(1, twelveHours), process_start_time_seconds: flat(0, twelveHours) },
  ...lag(flat(0, twelveHours)),
  'bcod_feedback_events_total{label="up"}': flat(900, twelveHours),
  'bcod_feedback_events_total{label="down"}': flat(0, twelveHours),
  'bcod_feedback_dropped_total{reason="duplicate"}': flat(800, twelveHours),
  'bcod_dead_letters_total{code="FEEDBACK_INVALID"}': flat(700, twelveHours),
  ...{ bcod_reading_paused: flat(0, twelveHours), bcod_retention_headroom_seconds: flat(60, twelveHours) },
  ...{ bcod_train_steps_total: flat(500, twelveHours), bcod_adapter_version: flat(500, twelveHours) },
  ...{ bcod_nonfinite_steps_total: flat(3, twelveHours), bcod_tensors: flat(4000, twelveHours) },
  ...{ bcod_reward_margin: flat(-1, twelveHours), bcod_delta: flat(9, twelveHours) },
  bcod_effective_sample_size_ratio: flat(0.05, twelveHours),
  bcod_classifier_trust_ratio: flat(0, twelveHours),
  bcod_classifier_auc_ratio: flat(0.4, twelveHours),
  bcod_classifier_ready: flat(1, twelveHours),
  bcod_checkpoint_last_success_timestamp_seconds: flat(-86_400, twelveHours),
  bcod_checkpoint_free_bytes: flat(12 * GIB, twelveHours),
  'bcod_adapter_state{state="candidate"}': flat(2, twelveHours),
  ...publishing('failed', flat(4, twelveHours)),
  'bcod_rollbacks_total{cause="operator"}': flat(1, twelveHours),
}

/** The first minutes of a daemon that finds a backlog and compiles for 8 of them. */
export const FRESH: Samples = {
  ...{ up: '0+0x1 1+0x30', process_start_time_seconds: flat(60, 30) },
  ...lag(line(5000, 100, 30)),
  ...votes(50, 0, 30),
  'bcod_feedback_dropped_total{reason="duplicate"}': line(0, 25, 30),
  'bcod_dead_letters_total{code="FEEDBACK_INVALID"}': line(0, 25, 30),
  ...{ bcod_reading_paused: '_ _ 1+0x30', bcod_retention_headroom_seconds: '_ _ 600+0x30' },
  ...{ bcod_train_steps_total: '0+0x8 1+1x30', bcod_tensors: line(0, 100, 30) },
  ...{ bcod_reward_margin: flat(-0.3, 30), bcod_delta: line(0, 0.3, 30) },
  ...{ bcod_effective_sample_size_ratio: flat(0.1, 30), bcod_checkpoint_free_bytes: flat(12 * GIB, 30) },
  'bcod_adapter_state{state="candidate"}': flat(1, 30),
  ...publishing('published', flat(0, 30)),
  ...publishing('failed', flat(0, 30)),
}

/** A day's half of sound learning. */
export const SOUND: Samples = {
  ...{ up: flat(1, twelveHours), process_start_time_seconds: flat(0, twelveHours) },
  ...lag(flat(40, twelveHours)),
  ...votes(20, 12, twelveHours),
  'bcod_feedback_dropped_total{reason="duplicate"}': line(0, 1, twelveHours),
  'bcod_dead_letters_total{code="FEEDBACK_INVALID"}': line(0, 0.01, twelveHours),
  ...{ bcod_reading_paused: flat(0, twelveHours), bcod_retention_headroom_seconds: flat(600_000, twelveHours) },
  ...{ bcod_train_steps_total: line(0, 4, twelveHours), bcod_adapter_version: line(0, 4, twelveHours) },
  ...{ bcod_nonfinite_steps_total: flat(0, twelveHours), bcod_tensors: flat(400, twelveHours) },
  ...{ bcod_reward_margin: line(0.1, 0.001, twelveHours), bcod_delta: flat(0.2, twelveHours) },
  bcod_effective_sample_size_ratio: flat(0.7, twelveHours),
  bcod_classifier_trust_ratio: flat(0.9, twelveHours),
  bcod_classifier_auc_ratio: flat(0.6, twelveHours),
  bcod_classifier_ready: flat(1, twelveHours),
  bcod_checkpoint_last_success_timestamp_seconds: line(0, 60, twelveHours),
  bcod_checkpoint_free_bytes: line(100 * GIB, -1_000_000, twelveHours),
  'bcod_adapter_state{state="candidate"}': flat(1, twelveHours),
  ...publishing('published', line(0, 2, twelveHours)),
  ...publishing('failed', flat(0, twelveHours)),
  'bcod_rollbacks_total{cause="operator"}': flat(0, twelveHours),
  ...refusals('token', line(0, 0.01, twelveHours)),
  ...refusals('connection', line(0, 0.1, twelveHours)),
  ...{ bcod_gateway_log_up: flat(1, twelveHours), bcod_gateway_routing_up: flat(1, twelveHours) },
  'bcod_gateway_upstream_up{upstream="gpu-1:8000"}': flat(1, twelveHours),
  ...requests(line(0, 600, twelveHours), line(0, 1, twelveHours)),
  ...ballots({ accepted: line(0, 20, twelveHours), VOTE_RATE: line(0, 1, twelveHours) }),
}
