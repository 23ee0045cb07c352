import { expect, test } from 'vitest'
import { TrainingPause } from '../../src/daemon/training-pause.js'

test('steps begin again when nobody has a reason against it any more', () => {
  const told: string[] = []
  const pause = new TrainingPause((paused, reason) => told.push(`${paused ? 'paused' : 'goes on'}: ${reason}`))
  pause.set('registry', false)
  pause.set('person', true)
  pause.set('registry', true)
  pause.set('person', false)
  expect([pause.paused$.value, pause.has('person'), pause.has('registry')]).toEqual([true, false, true])
  pause.set('registry', true)
  pause.set('registry', false)
  expect(pause.paused$.value).toBe(false)
  expect(told).toEqual(['paused: person', 'goes on: registry'])
})
