// What stands beside the charts: figures of this moment, dead letters, and all of /status.

import { element } from './charts.js'
import { clock, DASH, figure, plain, span } from './format.js'
import { kindOf } from './state-band.js'

const byId = (id) => document.getElementById(id)
const total = (counts) => Object.values(counts ?? {}).reduce((sum, count) => sum + count, 0)

/** Changes nothing where nothing has changed, so that a screen reader is not told the same again. */
function say(node, text) {
  if (node.textContent !== text) node.textContent = text
}

const reasons = (failing) =>
  (failing ?? []).map(({ name, detail }) => (detail ? `${name} (${detail})` : name)).join(', ')

export function showState({ state, ready, not_ready: failing, training_paused: paused }) {
  say(byId('state'), paused ? `${state}, training paused` : (state ?? DASH))
  byId('state').className = `pill ${paused ? 'warn' : kindOf(state)}`
  say(byId('ready'), ready === false ? `not ready: ${reasons(failing)}` : ready ? 'ready' : '')
  document.title = `bcod: ${state ?? DASH}`
}

export function showTiles(status, now) {
  const lag = Object.entries(status.lag ?? {})
  const [worst, most] = lag.reduce((highest, entry) => (entry[1] > highest[1] ? entry : highest), ['', 0])
  const trust = status.classifier_trust
  const stepAge = status.last_step_time === null ? 'none since the start' : `${span(now - status.last_step_time)} ago`
  byId('tiles').replaceChildren(
    tile('Step', figure(status.step), stepAge),
    tile('Adapter', liveOf(status) ?? DASH, adapterAbout(status)),
    tile(
      'Lag',
      lag.length === 0 ? DASH : figure(total(status.lag)),
      most > 0 && lag.length > 1 ? `most on partition ${worst}` : 'records',
    ),
    tile('Waiting', figure(status.waiting), `and ${figure(status.held_back)} held back`),
    tile('Classifier trust', figure(trust, 2), status.classifier_ready === false ? 'w = 1 so far' : 'of 1'),
    tile(
      'Dead letters',
      figure(total(status.dead_letters)),
      `${figure(status.dead_letters_waiting)} still to be written`,
    ),
  )
}

/** The registry knows what is live, also if somebody has gone back; without it, what was published last counts. */
const liveOf = ({ adapters, adapter }) => (adapters ? adapters.live : adapter)

function adapterAbout({ adapters, adapter }) {
  if (adapters?.frozen) return 'rolled back'
  if (adapters?.pinned) return 'pinned'
  if (adapters?.live) return 'live'
  return adapter ? 'published' : 'none since the start'
}

function tile(name, value, about) {
  const made = element('div', 'tile')
  made.append(element('dt', '', name), element('dd', '', value), element('dd', 'about', about))
  return made
}

export function showLetters({ letters, points, now }) {
  const recent = (points.dead_letters ?? []).reduce((sum, count) => sum + count, 0)
  const shown =
    letters.length === 0 ? 'None since the start.' : `${figure(recent)} in the last hour. Counts are since the start.`
  say(byId('letters-hour'), shown)
  byId('letters').hidden = letters.length === 0
  byId('letters').tBodies[0].replaceChildren(...letters.map((letter) => letterRow(letter, now)))
}

function letterRow({ code, stage, cause, count, last }, now) {
  const row = element('tr')
  const head = element('th')
  head.scope = 'row'
  head.append(element('code', '', code), element('span', 'about', `${stage}: ${cause ?? DASH}`))
  const age = element('td', 'number', `${span(now - last)} ago`)
  age.title = clock(last)
  row.append(head, element('td', 'number', figure(count)), age)
  return row
}

export function showStatus(status) {
  byId('status').replaceChildren(
    ...Object.entries(status).map(([name, value]) => {
      const row = element('div')
      const write = name === 'not_ready' ? reasons : name.endsWith('_time') ? clock : plain
      const text = write(value) || DASH
      row.append(element('dt', '', name), element('dd', '', text))
      return row
    }),
  )
}

/** @param since  when the last answer came, in seconds since 1970; null while there is none */
export function showReachable(reachable, since, problem) {
  document.body.classList.toggle('stale', !reachable)
  byId('lost').hidden = reachable
  if (reachable) return
  say(byId('lost'), since === null ? `No answer yet. ${problem}` : `No answer since ${clock(since)}. ${problem}`)
  document.title = 'bcod: no answer'
}

export const showClock = ({ now, started }) => say(byId('clock'), `as of ${clock(now)}, up ${span(now - started)}`)
