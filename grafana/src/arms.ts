import { of, type PanelSpec, rate } from './panel.js'

const here = '{{instance}}'
const WITHOUT_CONTROL = 'canary.controlShare gives users control, or does not'

/** Live against control: what all learning together is worth. */
export const uplift: PanelSpec = {
  kind: 'lines',
  wide: true,
  title: 'Uplift over time',
  shows:
    'Thumbs-up rate of live less that of control, with an interval that holds whenever you look. Empty while canary.controlShare is 0.',
  good: 'the whole interval above 0: users like what was learnt.',
  bad: 'the whole interval below 0: learning has harmed.',
  unit: 'percentunit',
  top: 0.05,
  bounds: { above: false, look: 0 },
  colours: { uplift: 'green', '(low|high)': '#808080' },
  queries: [
    { expr: of('bcod_uplift_ratio'), legend: `uplift ${here}`, mayBeEmpty: WITHOUT_CONTROL },
    { expr: of('bcod_uplift_high'), legend: `high ${here}`, mayBeEmpty: WITHOUT_CONTROL },
    { expr: of('bcod_uplift_low'), legend: `low ${here}`, mayBeEmpty: WITHOUT_CONTROL },
  ],
}

/** The figure alone. */
export const upliftNow: PanelSpec = {
  kind: 'figure',
  title: 'Uplift',
  shows: 'Thumbs-up rate of live less that of control, now. Empty while canary.controlShare is 0.',
  good: 'above 0, and the whole interval beside it too.',
  bad: 'below 0, and the whole interval beside it too.',
  unit: 'percentunit',
  queries: [{ expr: of('bcod_uplift_ratio'), legend: here, mayBeEmpty: WITHOUT_CONTROL }],
}

const ARMS = { control: '#808080', live: 'green', canary: 'orange' } as const

export const armPanels: readonly PanelSpec[] = [
  {
    kind: 'lines',
    title: 'Thumbs-up by arm',
    shows: 'Share of thumbs-up of each arm: control and live in the present period, the canary in its test.',
    good: 'live above control, the canary not below live.',
    bad: 'live or the canary below control for long.',
    unit: 'percentunit',
    colours: ARMS,
    queries: [{ expr: of('bcod_arm_up_ratio'), legend: `{{arm}} ${here}`, mayBeEmpty: 'votes name an arm, or do not' }],
  },
  {
    kind: 'lines',
    title: 'Votes by arm',
    shows: 'Votes that count for an arm, a second.',
    good: 'in proportion to canary.share and canary.controlShare.',
    bad: 'none of an arm that has a share: the router does not follow routing.json.',
    unit: 'cps',
    colours: ARMS,
    queries: [{ expr: `sum by (instance, arm) (${rate('bcod_arm_votes_total')})`, legend: `{{arm}} ${here}` }],
  },
]
