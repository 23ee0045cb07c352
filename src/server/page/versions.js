// Which adapter is live, and the way back: what the registry holds, and buttons that move it with the admin token.

import { element } from './charts.js'
import { DASH } from './format.js'

const byId = (id) => document.getElementById(id)
const NAMES = ['live', 'previous', 'canary', 'candidate', 'pinned']

/** What can be done about what holds: label, question, verb, fields. Moves are sent with the generation that is shown. */
function actionsOf({ adapters, guard }) {
  const { live, previous, canary, candidate, pinned, frozen, resumable } = adapters
  // null: nobody knows, and whoever asks is told
  const isResumable = (version) => resumable?.includes(version) ?? true
  const actions = []
  if (guard && !frozen)
    actions.push({
      label: 'Resume training',
      question: `Let training go on from where the guard ${guard} has stopped it?`,
      ask: ['resume', {}],
      movesNothing: true,
    })
  if (previous !== null)
    actions.push({
      label: `Roll back to ${previous}`,
      question: `Make ${previous} live, and stop publishing and learning?${isResumable(previous) ? '' : ` ${notFrom(previous)}`}`,
      ask: ['adapters/rollback', { to: previous }],
    })
  if (frozen && live !== null && isResumable(live))
    actions.push({
      label: `Resume from ${live}`,
      question: `Learn again from what ${live} had learnt, and abandon what came after it?`,
      ask: ['adapters/resume', { from: live }],
    })
  if (frozen)
    actions.push({
      label: 'Resume and keep',
      question: 'Publish and learn again, with all that was learnt?',
      ask: ['adapters/resume', { keep: true }],
    })
  for (const version of pinned === null ? [canary, candidate] : []) {
    if (version === null) continue
    actions.push({
      label: `Promote ${version}`,
      question: `Make ${version} live?`,
      ask: ['adapters/promote', { version }],
    })
  }
  if (candidate !== null)
    actions.push({
      label: `Gate ${candidate}`,
      question: `Run every check of the gate on ${candidate} again?`,
      ask: ['adapters/gate', { version: candidate }],
      movesNothing: true,
    })
  if (pinned !== null)
    actions.push({
      label: 'Take the pin off',
      question: 'Let newer versions become live again?',
      ask: ['adapters/pin', { off: true }],
    })
  else if (live !== null)
    actions.push({
      label: `Pin ${live}`,
      question: `Keep ${live} live, whatever is learnt?`,
      ask: ['adapters/pin', { version: live }],
    })
  return actions
}

const notFrom = (version) => `Learning cannot go on from ${version} itself: no checkpoint of it is whole.`

/** What a rollback has left, and which way on there is not. */
function frozenText({ live, resumable }) {
  const rolledBack = 'Rolled back: nothing is published or learnt until somebody resumes.'
  if (live === null || !resumable || resumable.includes(live)) return rolledBack
  return `${rolledBack} ${notFrom(live)} The command adapters list says from which older ones it can.`
}

let shown = null

/** @param moved  called after each move, so that the page asks for what holds */
export function showVersions({ adapters, guard }, moved) {
  const key = JSON.stringify([adapters ?? null, guard])
  if (key === shown) return
  shown = key
  byId('versions').hidden = !adapters
  if (!adapters) return
  byId('aliases').replaceChildren(
    ...NAMES.map((name) => {
      const row = element('div')
      row.append(element('dt', '', name), element('dd', '', adapters[name] ?? DASH))
      return row
    }),
  )
  byId('frozen').hidden = !adapters.frozen
  byId('frozen').textContent = frozenText(adapters)
  byId('guard').hidden = !guard
  byId('guard').textContent =
    `The guard ${guard} has paused training. See BcodGuardTripped in the runbook before you resume.`
  byId('actions').replaceChildren(
    ...actionsOf({ adapters, guard }).map((action) => button(action, adapters.generation, moved)),
  )
}

function button({ label, question, ask, movesNothing = false }, generation, moved) {
  const made = element('button', '', label)
  made.type = 'button'
  made.addEventListener('click', async () => {
    const [verb, fields] = ask
    if (!confirm(question)) return
    byId('moved').textContent = await move(verb, movesNothing ? fields : { ...fields, generation }, label)
    await moved()
  })
  return made
}

/** The answer in words. */
async function move(verb, fields, label) {
  const token = byId('token').value
  if (token === '') return 'Enter the admin token first.'
  try {
    const response = await fetch(`v1/admin/${verb}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify(fields),
    })
    if (response.status === 202) return `${label}: it takes longer; the report will be in adapters show.`
    if (response.ok) return `${label}: ${(await response.json()).outcome ?? 'done'}.`
    if (response.status === 404) return 'This daemon has no admin token.'
    const { error } = await response.json()
    return `${error.code}: ${error.message}`
  } catch {
    return `${label}: no answer.`
  }
}
