// Sentences on the canary and on the uplift.

import { clock, figure } from './format.js'

/** A difference of rates in points, with its sign. */
export function points(value) {
  const text = figure(100 * value, 1)
  return value > 0 ? `+${text}` : text
}

const interval = ({ low, high }) => `${points(low)} to ${points(high)} points`

/** One sentence on the canary under test; empty without one. */
export function canaryText(canary) {
  if (!canary) return ''
  const { version, against, difference, passed } = canary
  const votes = `${figure(canary.canary.votes)} votes, ${figure(canary.live.votes)} of live`
  if (difference === null) return `Canary ${version}: too few users have voted (${votes}).`
  const shown = `${points(difference)} points against ${against} (${interval(canary)}; ${votes})`
  return `Canary ${version}: ${shown}. ${passed ? 'It has passed and waits to be promoted.' : 'Not decided yet.'}`
}

/** One sentence on the uplift; empty if it is not measured. */
export function upliftText({ arms, uplift }) {
  if (!arms?.control || (arms.control.votes === 0 && !uplift)) return ''
  if (!uplift) return 'Uplift: too few users of live or control have voted.'
  return `Uplift of live over control: ${points(uplift.value)} points (${interval(uplift)}) since ${clock(uplift.since, false)}.`
}
