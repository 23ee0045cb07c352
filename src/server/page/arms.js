// What users say of each arm: the canary under test, and what learning gains over control.

import { canaryText, upliftText } from './arm-texts.js'
import { element } from './charts.js'
import { DASH, figure } from './format.js'

const byId = (id) => document.getElementById(id)

/** @param status  of `/status` */
export function showArms(status) {
  const { arms } = status
  byId('arms').hidden = !arms
  for (const [id, text] of [
    ['canary', canaryText(status.canary)],
    ['uplift', upliftText(status)],
  ]) {
    byId(id).hidden = text === ''
    if (byId(id).textContent !== text) byId(id).textContent = text
  }
  byId('arms').tBodies[0].replaceChildren(
    ...Object.entries(arms ?? {}).flatMap(([name, arm]) => (arm === null ? [] : [armRow(name, arm)])),
  )
}

function armRow(name, { votes, users, up_ratio: rate }) {
  const row = element('tr')
  const head = element('th', '', name)
  head.scope = 'row'
  const cells = [figure(votes), figure(users), rate === null ? DASH : `${figure(100 * rate, 1)} %`]
  row.append(head, ...cells.map((text) => element('td', 'number', text)))
  return row
}
