import { armPanels, uplift } from './arms.js'
import { increase, of, type PageSpec, quantiles, rate } from './panel.js'

const here = '{{instance}}'
const WITHOUT_SERVERS = 'there are servers in publish.targets, or there are none'

export const versions: PageSpec = {
  uid: 'bcod-versions',
  title: 'bcod: Versions',
  description: 'Which version users get, what the gate let pass, and what was taken back.',
  rows: [
    {
      title: 'What users get',
      panels: [
        {
          kind: 'figure',
          title: 'Live version now',
          shows: 'Number of the live version: the step that it comes from.',
          good: 'rises as long as votes come.',
          bad: 'stands still while steps are applied: nothing passes, or somebody has pinned or frozen it.',
          unit: 'none',
          queries: [{ expr: of('bcod_adapter_version'), legend: here }],
        },
        {
          kind: 'figure',
          title: 'Version by server',
          shows: 'The newest version that each server of publish.targets has loaded. Empty without such servers.',
          good: 'one number, that of the live version.',
          bad: 'a server that stays behind, or is missing because it does not answer.',
          unit: 'none',
          queries: [{ expr: of('bcod_served_version'), legend: '{{target}}', mayBeEmpty: WITHOUT_SERVERS }],
        },
        {
          kind: 'states',
          wide: true,
          title: 'Servers that have the live version',
          shows:
            'Green: the server has loaded the live version. Orange: its newest is an older one. A gap: it does not answer. Empty without publish.targets.',
          good: 'green, but for a moment after a version is published.',
          bad: 'orange or a gap for minutes on one server: its users get something else.',
          unit: 'bool',
          below: 'orange',
          queries: [
            {
              expr: `${of('bcod_served_version')} >= bool on (job, instance) group_left () ${of('bcod_adapter_version')}`,
              legend: '{{target}}',
              mayBeEmpty: WITHOUT_SERVERS,
            },
          ],
        },
        {
          kind: 'lines',
          wide: true,
          title: 'Live version',
          shows: 'Number of the live version over time, and of the newest that each server has.',
          good: 'a staircase upwards, all lines together.',
          bad: 'a step down is a rollback; a line that leaves the others is a server left behind.',
          unit: 'none',
          queries: [
            { expr: of('bcod_adapter_version'), legend: `live ${here}` },
            { expr: of('bcod_served_version'), legend: '{{target}}', mayBeEmpty: WITHOUT_SERVERS },
          ],
        },
        {
          kind: 'states',
          wide: true,
          title: 'Servers that answer otherwise',
          shows:
            'Red: the server does not serve the live version as the learner computes it. Empty without publish.targets.',
          good: 'nothing red, or one look long while a server restarts.',
          bad: 'red that stays: nothing new goes live, see the alert BcodServingMismatch.',
          unit: 'bool',
          below: 'green',
          colours: { '': 'red' },
          queries: [{ expr: of('bcod_serving_mismatch'), legend: '{{target}}', mayBeEmpty: WITHOUT_SERVERS }],
        },
      ],
    },
    {
      title: 'Whether users like it',
      panels: [uplift, ...armPanels],
    },
    {
      title: 'What becomes of versions',
      panels: [
        {
          kind: 'states',
          wide: true,
          title: 'States of versions',
          shows: 'Whether the registry holds a version in each state; the tooltip says how many.',
          good: 'live always, candidate while the gate works, retired below.',
          bad: 'refused or rolled_back that comes again and again; candidate that never ends.',
          unit: 'none',
          colours: { candidate: 'blue', refused: 'orange', canary: 'yellow', retired: '#808080', rolled_back: 'red' },
          queries: [{ expr: of('bcod_adapter_state'), legend: `{{state}} ${here}` }],
        },
        {
          kind: 'bars',
          colours: { published: 'green', canary: 'yellow', held: 'blue', rejected: 'orange', failed: 'red' },
          title: 'Publishing',
          shows:
            'Versions that were published, became the canary, were held, rejected by the gate, or could not be published.',
          good: 'published, or canary and published; held while the registry is frozen or pinned, or with publish.mode=manual.',
          bad: 'rejected or failed: users keep the version before.',
          unit: 'short',
          queries: [
            {
              expr: `sum by (outcome) (${increase('bcod_adapter_publish_total')})`,
              legend: '{{outcome}}',
            },
          ],
        },
        {
          kind: 'bars',
          colours: { operator: 'red', canary: 'orange' },
          title: 'Rollbacks',
          shows: 'Rollbacks, by who began them: an operator, or the canary.',
          good: '0.',
          bad: 'any: nothing is published or learnt until somebody resumes.',
          unit: 'short',
          bounds: { above: true, look: 1 },
          queries: [{ expr: `sum by (cause) (${increase('bcod_rollbacks_total')})`, legend: '{{cause}}' }],
        },
      ],
    },
    {
      title: 'The gate',
      panels: [
        {
          kind: 'bars',
          colours: { passed: 'green', skipped: '#808080', refused: 'orange', error: 'red' },
          title: 'Checks by outcome',
          shows: 'Checks of candidates that passed, refused, were skipped, or could not be run.',
          good: 'passed, and skipped where there is nothing to compare with.',
          bad: 'refused or error: the candidate does not go live.',
          unit: 'short',
          queries: [
            {
              expr: `sum by (outcome) (${increase('bcod_gate_checks_total')})`,
              legend: '{{outcome}}',
            },
          ],
        },
        {
          kind: 'states',
          wide: true,
          colours: { '': 'orange' },
          title: 'Checks not passed',
          shows: 'When a check refused a candidate, or could not be run.',
          good: 'an empty row for each check.',
          bad: 'a check that refuses one version after the other: read gate.json in the folder of the version.',
          unit: 'none',
          queries: [
            {
              expr: `sum by (instance, check) (${increase('bcod_gate_checks_total', 'outcome=~"refused|error"')})`,
              legend: `{{check}} ${here}`,
            },
          ],
        },
        {
          kind: 'lines',
          sparse: true,
          title: 'Gate time',
          shows: 'Time to judge one candidate, with your own programs and services.',
          good: 'less than the time between two checkpoints.',
          bad: 'longer: candidates in between are not judged.',
          unit: 's',
          queries: quantiles('bcod_gate_duration_seconds'),
        },
      ],
    },
    {
      title: 'How soon, and canaries',
      panels: [
        {
          kind: 'lines',
          wide: true,
          sparse: true,
          title: 'From vote to live version',
          shows: 'From a vote in the log to the published version that learnt from it, with gate and servers.',
          good: '30 to 90 s with the default settings, more by the time of the gate and of a canary.',
          bad: 'rises from hour to hour: the gate or a server gets slower.',
          unit: 's',
          queries: quantiles('bcod_feedback_to_publish_seconds'),
        },
        {
          kind: 'bars',
          title: 'Canaries',
          shows: 'Tests of canaries that have ended, by how.',
          good: 'promoted; one that was worse now and then is the canary’s work done.',
          bad: 'worse or undecided, one after the other: what is learnt is not liked, or canary.minVotes is out of reach.',
          unit: 'short',
          colours: { promoted: 'green', worse: 'red', undecided: 'orange', ended: '#808080' },
          queries: [{ expr: `sum by (outcome) (${increase('bcod_canaries_total')})`, legend: '{{outcome}}' }],
        },
        {
          kind: 'lines',
          title: 'Votes of no arm',
          shows: 'Votes that count for no arm, a second, by what did not fit: version, user or arm.',
          good: '0, and a few when the canary changes; all votes while the router knows nothing of arms.',
          bad: 'user all the time: the router computes arms in another way, or votes name another user.',
          unit: 'cps',
          queries: [{ expr: `sum by (reason) (${rate('bcod_arm_votes_unmatched_total')})`, legend: '{{reason}}' }],
        },
      ],
    },
  ],
}
