// Which charts there are. `color` names a variable of page.css; `level` is a line to compare with; `floor` is where the
// axis begins at the latest. `mean` is the moving mean of a column, over as long as points.js says.

const withMean = (column, label) => [
  { column, label, color: '--faint' },
  { mean: column, label: 'mean', color: '--main' },
]

export const CHARTS = [
  {
    title: 'Loss',
    about: 'of the steps, weighed by their votes',
    digits: 3,
    series: withMean('loss', 'loss'),
  },
  {
    title: 'Margin',
    about: 'mean reward of thumbs-up minus that of thumbs-down',
    digits: 3,
    level: 0,
    series: withMean('reward_margin', 'margin'),
  },
  {
    title: 'Delta δ',
    about: 'the reward shift that the losses used',
    digits: 3,
    series: [{ column: 'delta', label: 'δ', color: '--main' }],
  },
  {
    title: 'Weight w',
    about: 'mean over thumbs-down; at 1 the classifier has no say',
    digits: 3,
    level: 1,
    series: withMean('weight_mean', 'w'),
  },
  {
    title: 'Lag',
    about: 'records not at their end, also held and waiting ones',
    digits: 0,
    floor: 0,
    series: [{ column: 'lag', label: 'records', color: '--main', filled: true }],
  },
  {
    title: 'Votes trained',
    about: 'in the minute before',
    digits: 0,
    floor: 0,
    series: [
      { column: 'up_rate', label: 'up', color: '--up' },
      { column: 'down_rate', label: 'down', color: '--down' },
    ],
  },
]
