// The operator's page: asks the daemon every two seconds what it is doing, and shows it.

import { showArms } from './arms.js'
import { CHARTS } from './chart-list.js'
import { Chart } from './charts.js'
import { showClock, showLetters, showReachable, showState, showStatus, showTiles } from './panels.js'
import { belongsTo, merge, noHistory, sinceOf, viewOf } from './points.js'
import { StateBand } from './state-band.js'
import { showVersions } from './versions.js'

const POLL_MS = 2000
const PATIENCE_MS = 5000

const charts = [new StateBand(), ...CHARTS.map((chart) => new Chart(chart))]
let history = noHistory()
let status = null
let answeredAt = null
let timer

/** Paths are relative, so that the page also works behind a proxy that serves it under a path of its own. */
async function ask(path) {
  const response = await fetch(path, { cache: 'no-store', signal: AbortSignal.timeout(PATIENCE_MS) })
  if (!response.ok) throw new Error(`${path.split('?')[0]} answered ${response.status}.`)
  return response.json()
}

async function askHistory() {
  const answer = await ask(`v1/history?since=${sinceOf(history)}`)
  return belongsTo(history, answer) ? answer : ask('v1/history')
}

async function refresh() {
  clearTimeout(timer)
  try {
    const [newStatus, answer] = await Promise.all([ask('status'), askHistory()])
    status = newStatus
    history = merge(history, answer)
    answeredAt = Date.now() / 1000
    showReachable(true)
    draw()
  } catch (error) {
    const unreachable = error instanceof TypeError || error.name === 'TimeoutError'
    showReachable(false, answeredAt, unreachable ? 'Is the daemon running?' : error.message)
  }
  if (!document.hidden) timer = setTimeout(refresh, POLL_MS)
}

function draw() {
  showState(status)
  showTiles(status, history.now)
  showVersions(status, refresh)
  showArms(status)
  showLetters(history)
  showStatus(status)
  showClock(history)
  drawCharts()
}

function drawCharts() {
  if (history.started === null) return
  const view = viewOf(history, Number(document.querySelector('#range input:checked').value))
  for (const chart of charts) chart.show(view)
}

document.getElementById('charts').append(...charts.map(({ element }) => element))
document.getElementById('range').addEventListener('change', drawCharts)
document.addEventListener('visibilitychange', () => document.hidden || refresh())
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
  for (const chart of charts) chart.redraw()
})
refresh()
