import type { BacktestReport } from './backtest.js'
import { type Chart, chartSvg, type Point } from './chart.js'
import type { Moment } from './evidence.js'
import type { Estimate } from './separation.js'
import { NAMES } from './words.js'

/** AUC of all votes so far: of the model, with its interval, and of the baselines that have one of their own. */
export const soFarChart = ({ over_time: moments, trained }: BacktestReport): string =>
  figure({
    ...{ title: 'AUC of all votes so far', votes: trained, joined: true },
    series: [
      series('model', moments, ({ at, auc_so_far }) => point(at, auc_so_far)),
      ...(['length', 'prompt'] as const).map((each) =>
        series(each, moments, ({ at, baselines_so_far }) => ({ x: at, y: baselines_so_far[each] })),
      ),
    ],
  })

/** AUC of the model in each block, at its middle. */
export const blocksChart = ({ over_time: moments, trained }: BacktestReport): string =>
  figure({
    ...{ title: 'AUC in blocks of time', votes: trained, joined: false },
    series: [series('model', moments, ({ at, votes, auc }) => point(at - votes / 2, auc))],
  })

const series = (kind: keyof typeof NAMES, moments: readonly Moment[], of: (moment: Moment) => Point) => ({
  ...{ name: NAMES[kind], kind },
  points: moments.map(of),
})

const point = (x: number, estimate: Estimate | null): Point => ({
  ...{ x, y: estimate?.value ?? null },
  ...{ low: estimate?.low ?? null, high: estimate?.high ?? null },
})

function figure(chart: Chart): string {
  const names = chart.series.map(({ name, kind }) => `<li class="${kind}">${name}</li>`)
  const legend = names.length === 1 ? '' : `<ul class="legend">${names.join('')}</ul>`
  return `<figure>${chartSvg(chart)}${legend}</figure>`
}
