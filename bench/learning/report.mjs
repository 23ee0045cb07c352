// From runs to figures: each contender's means over the seeds, and its paired differences from the baseline.
import { seededRandom } from '../../dist/model/random.js'
import { bootstrap, mean, pairedT } from '../statistics.mjs'
import { measures } from './measures.mjs'

/**
 * @param rows  of the file of results
 * @param baseline  name of the contender that all others are compared with
 * @returns `points`, each with its `contenders`; a contender without runs is left out
 */
export function summarise(rows, { points, contenders, baseline }) {
  const names = [...new Set([baseline, ...contenders.map(({ name }) => name)])]
  const runsOf = (point, name) =>
    rows.filter((row) => row.contender === name && JSON.stringify(row.point) === JSON.stringify(point))
  return {
    baseline,
    points: points.map((point) => {
      const base = new Map(runsOf(point, baseline).map((run) => [run.seed, run]))
      const figures = names.map((name) => contenderFigures(name, runsOf(point, name), base, Number(point.beta)))
      return { ...point, contenders: figures.filter(({ seeds }) => seeds > 0) }
    }),
  }
}

function contenderFigures(name, runs, base, beta) {
  const paired = runs.filter(({ contender, seed }) => contender === name && base.has(seed))
  const each = (of) => Object.fromEntries(Object.entries(measures).map(([key, measure]) => [key, of(measure)]))
  const averageOf = (run, measure) => mean(run.margins.map((margin) => measure(margin, beta)))
  const byPair = (run, measure) => {
    const other = base.get(run.seed)
    return run.margins.map((margin, i) => measure(margin, beta) - measure(other.margins[i], beta))
  }
  const isBase = paired.every((run) => base.get(run.seed) === run)
  const known = (field) => runs.map((run) => run[field]).filter((value) => value !== undefined)
  const largest = (field) => (known(field).length === 0 ? {} : { [field]: Math.max(...known(field)) })
  return {
    name,
    settings: runs[0]?.settings,
    seeds: runs.length,
    ...(runs.length === 0 ? {} : each((measure) => pairedT(runs.map((run) => averageOf(run, measure))))),
    ...(isBase || paired.length === 0
      ? {}
      : {
          less_baseline: each((measure) => {
            const differences = paired.map((run) => byPair(run, measure))
            return {
              seeds: paired.length,
              ...pairedT(differences.map(mean)),
              bootstrap: bootstrap(differences, seededRandom(1, 'bootstrap')),
            }
          }),
          largest_margin_difference: Math.max(
            ...paired.flatMap((run) =>
              run.margins.map((margin, i) => Math.abs(margin - base.get(run.seed).margins[i])),
            ),
          ),
        }),
    ...largest('from_trl'),
    ...largest('evaluators_differ'),
  }
}

/** A line for each contender at each point. */
export function printTable({ baseline, points }) {
  const number = (value, scale, digits) => (value === null ? '–' : (scale * value).toFixed(digits))
  const interval = ({ low, high }, scale, digits) => `${number(low, scale, digits)} to ${number(high, scale, digits)}`
  const difference = (figures, scale, digits) =>
    figures && `${number(figures.mean, scale, digits)} (${interval(figures, scale, digits)})`
  console.table(
    points.flatMap(({ lr, beta, batch, contenders }) =>
      contenders.map(({ name, seeds, accuracy, log_sigma, less_baseline, from_trl }) => ({
        ...{ lr, beta, batch, contender: name, seeds },
        'accuracy, %': number(accuracy.mean, 100, 2),
        'log σ': number(log_sigma.mean, 1, 5),
        [`accuracy less ${baseline}, points`]: difference(less_baseline?.accuracy, 100, 2),
        'bootstrap, points': less_baseline && interval(less_baseline.accuracy.bootstrap, 100, 2),
        [`log σ less ${baseline}, ×1000`]: difference(less_baseline?.log_sigma, 1000, 3),
        'bootstrap, ×1000': less_baseline && interval(less_baseline.log_sigma.bootstrap, 1000, 3),
        'way from TRL': from_trl?.toExponential(1),
      })),
    ),
  )
}
