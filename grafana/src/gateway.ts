import { ofGateway as of, type PageSpec } from './panel.js'

const rate = (name: string, ...matchers: readonly string[]): string =>
  `rate(${of(name, ...matchers)}[$__rate_interval])`

/** Of all chosen replicas together: there may be many, and the variable shows one of them. */
const quantiles = (histogram: string) =>
  [0.5, 0.95, 0.99].map((quantile) => ({
    expr: `histogram_quantile(${quantile}, sum by (le) (${rate(`${histogram}_bucket`)}))`,
    legend: `p${100 * quantile}`,
  }))

/** By how the outcome begins: what is taken, what cannot be, what the gateway could not do, and what nobody should send. */
const VOTES = {
  ...{ accepted: 'green', COMPLETION_NOT: '#808080', COMPLETION_EX: 'purple', COMPLETION_UN: 'yellow' },
  ...{
    LOG: 'blue',
    VOTE_RATE: 'orange',
    VOTE_TOKEN: 'red',
    VOTE_UNAUTHORISED: 'dark-red',
    VOTE_INVALID: '#33B5E5',
  },
}

/** Of how many replicas there may be: the one that needs most, and the one in the middle. */
const spread = (expr: string) => [
  { expr: `max(${expr})`, legend: 'highest' },
  { expr: `quantile(0.5, ${expr})`, legend: 'median' },
]

/** What stands in front of the model: requests, how soon answers begin, answers in the log, votes. */
export const gateway: PageSpec = {
  uid: 'bcod-gateway',
  title: 'bcod: Gateway',
  description: 'Requests, delay, answers in the log and votes by id',
  ofGateways: true,
  rows: [
    {
      title: 'Requests',
      panels: [
        {
          kind: 'lines',
          title: 'Requests by route',
          shows: 'Requests a second that were answered, by route.',
          good: 'follows your traffic.',
          bad: '0 while the product is in use: nothing passes through the gateway.',
          unit: 'reqps',
          queries: [{ expr: `sum by (route) (${rate('bcod_gateway_requests_total')})`, legend: '{{route}}' }],
        },
        {
          kind: 'lines',
          title: 'Requests that failed',
          shows: 'Share of the requests that ended with a status of 500 or more, by route.',
          good: '0.',
          bad: '502 and 504 come from the servers of the model: look at them first.',
          unit: 'percentunit',
          bounds: { above: true, look: 0.01, wrong: 0.05 },
          queries: [
            {
              // a route without a failure is 0, not absent
              expr:
                `sum by (route) (${rate('bcod_gateway_requests_total', 'status=~"5.."')}` +
                ` or 0 * ${rate('bcod_gateway_requests_total')})` +
                ` / sum by (route) (${rate('bcod_gateway_requests_total')})`,
              legend: '{{route}}',
            },
          ],
        },
        {
          kind: 'lines',
          sparse: true,
          title: 'First byte',
          shows: 'Time from a request to the first byte of its answer, with the time of the model.',
          good: 'what your users are used to; the gateway adds about a millisecond.',
          bad: 'rises while the servers of the model say nothing of it: add replicas.',
          unit: 's',
          queries: quantiles('bcod_gateway_first_byte_seconds'),
        },
        {
          kind: 'lines',
          sparse: true,
          title: 'Whole answers',
          shows: 'Time from a request to the last byte of its answer.',
          good: 'steady.',
          bad: 'rises: the servers of the model are at their limit.',
          unit: 's',
          queries: quantiles('bcod_gateway_upstream_seconds'),
        },
      ],
    },
    {
      title: 'Answers and votes',
      panels: [
        {
          kind: 'bars',
          wide: true,
          title: 'Answers in the log',
          shows: 'Answers a second, by what became of their records; untokened ones were sent without a vote token.',
          good: 'logged alone.',
          bad: 'lost or untokened: Kafka is away, and nobody can vote on these answers.',
          unit: 'cps',
          colours: { logged: 'green', untokened: 'orange', lost: 'red' },
          queries: [
            { expr: `sum by (outcome) (${rate('bcod_gateway_completions_logged_total')})`, legend: '{{outcome}}' },
          ],
        },
        {
          kind: 'bars',
          wide: true,
          title: 'Votes by outcome',
          shows: 'Votes a second that came to the gateway, by what became of them.',
          good: 'accepted.',
          bad: 'COMPLETION_UNKNOWN, VOTE_TOKEN_INVALID or VOTE_RATE all the time: a broken application, or an attack.',
          unit: 'cps',
          colours: VOTES,
          queries: [{ expr: `sum by (outcome) (${rate('bcod_gateway_votes_total')})`, legend: '{{outcome}}' }],
        },
        {
          kind: 'bars',
          wide: true,
          title: 'Answers that nobody can vote on',
          shows: 'Answers a second that pass without a vote, by the reason in their record.',
          good: 'few; client_left and media as your product has them.',
          bad: 'any other that most answers have: the users of one application cannot vote, and nothing else tells them.',
          unit: 'cps',
          queries: [{ expr: `sum by (reason) (${rate('bcod_gateway_unvotable_total')})`, legend: '{{reason}}' }],
        },
        {
          kind: 'bars',
          wide: true,
          title: 'Votes above a limit',
          shows: 'Votes a second that were not taken because one user, or all users of one API key, had sent too many.',
          good: 'none.',
          bad: 'user: one user in a loop, or an application that sends all votes as one user. key: a loop, or a stolen key.',
          unit: 'cps',
          colours: { user: 'orange', key: 'red' },
          queries: [{ expr: `sum by (limit) (${rate('bcod_gateway_votes_limited_total')})`, legend: '{{limit}}' }],
        },
        {
          kind: 'heatmap',
          wide: true,
          title: 'Time to take a vote',
          shows: 'Time to find the answer that a vote names, and for Kafka to acknowledge the event.',
          good: 'milliseconds.',
          bad: 'seconds: the completions topic has too few partitions for its rate, or Kafka is slow.',
          unit: 's',
          queries: [
            {
              expr: `sum by (le) (increase(${of('bcod_gateway_join_seconds_bucket')}[$__rate_interval]))`,
              legend: '{{le}}',
            },
          ],
        },
        {
          kind: 'states',
          wide: true,
          below: 'red',
          title: 'Kafka, routing and the servers of the model',
          shows: 'Whether all chosen replicas reach Kafka, the routing and each server of the model.',
          good: 'green.',
          bad: 'red: at least one does not. Without Kafka nobody can vote; without the routing users keep old versions; without servers there are no answers.',
          unit: 'bool',
          queries: [
            { expr: `min(${of('bcod_gateway_log_up')})`, legend: 'Kafka' },
            {
              expr: `min(${of('bcod_gateway_routing_up')})`,
              legend: 'routing',
              mayBeEmpty: 'without a registry there is no routing',
            },
            { expr: `min by (upstream) (${of('bcod_gateway_upstream_up')})`, legend: '{{upstream}}' },
          ],
        },
      ],
    },
    {
      title: 'Replicas',
      panels: [
        {
          kind: 'figure',
          title: 'Replicas by version',
          shows: 'How many gateways run, by version.',
          good: 'two or more, of one version.',
          bad: 'one: nothing is left when it goes. Two versions for long: an update is stuck.',
          unit: 'none',
          queries: [{ expr: `count by (version) (${of('bcod_build_info')})`, legend: 'bcod {{version}}' }],
        },
        {
          kind: 'lines',
          title: 'Processors',
          shows: 'Processors that a gateway keeps busy.',
          good: 'below 0.7.',
          bad: 'near 1: a gateway uses one processor. More replicas are needed.',
          unit: 'short',
          bounds: { above: true, look: 0.7, wrong: 0.95 },
          queries: spread(rate('process_cpu_seconds_total')),
        },
        {
          kind: 'lines',
          title: 'Memory',
          shows: 'Memory that a gateway has.',
          good: 'flat; up to 130 MiB of records wait and are remembered.',
          bad: 'rises for hours.',
          unit: 'bytes',
          queries: spread(of('process_resident_memory_bytes')),
        },
        {
          kind: 'lines',
          title: 'Event-loop lag',
          shows: 'How late a gateway comes to what is due, in 99 of 100 cases.',
          good: 'milliseconds.',
          bad: 'above 100 ms: each piece of a stream waits as long. More replicas are needed.',
          unit: 's',
          bounds: { above: true, look: 0.1, wrong: 0.5 },
          queries: spread(of('nodejs_eventloop_lag_p99_seconds')),
        },
      ],
    },
  ],
}
