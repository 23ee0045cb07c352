import { duration, integer, optionalText, real, text } from './setting.js'

/** Keys of canaries and of measured uplift: which users get which version, and what their votes decide. */
export const testing = {
  canary: {
    share: real(
      0,
      { min: 0, max: 0.5 },
      'Share of the users that get a version that has passed its gate, before all others do. Their votes decide whether it goes live. 0 = it goes live at once.',
    ),
    controlShare: real(
      0,
      { min: 0, max: 0.5 },
      'Share of the users that get what canary.control says instead of the live version. They measure the uplift: what all learning together has gained.',
    ),
    control: text('base', 'What control gets: base, the model without an adapter, or a version such as v00001234.'),
    baseModel: optionalText(
      'The name under which servers know the base model, for routers. null: publish.targets is asked.',
    ),
    minVotes: integer(200, { min: 1 }, 'Votes that canary and live each need before a canary is promoted.'),
    margin: real(
      0.05,
      { above: 0, max: 0.5 },
      'How much lower than live the thumbs-up rate of a canary may be. It is promoted once its rate is certainly not lower than that, and rolled back once it is certainly lower at all.',
    ),
    alpha: real(
      0.05,
      { above: 0, max: 0.5 },
      'The chance that the interval of a difference is ever wrong, however often one looks: of a canary that is as good as live, to be rolled back.',
    ),
    maxDuration: duration(
      '3d',
      { min: 1 },
      'A canary that has been neither promoted nor rolled back by then is refused, and the next version has its turn.',
    ),
    period: duration(
      '7d',
      { min: 1 },
      'Uplift is measured over periods of this length by the time of the votes. Until a new one has enough users, the last one is shown.',
    ),
  },
}
