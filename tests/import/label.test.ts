import { expect, it } from 'vitest'
import { labelOf } from '../../src/import/label.js'

const read = (value: unknown, options = {}): unknown => {
  try {
    return labelOf(value, options)
  } catch (skipped) {
    return (skipped as { reason: string }).reason
  }
}

it.each([true, 1, '1', 1.0, 'true', 'good', 'Thumbs up', 'thumbs-up', 'thumbsUp', 'THUMBS_UP', 'GOOD', ' Yes '])(
  'takes %j for a thumbs-up',
  (value) => expect(read(value)).toBe(true),
)

it.each([false, 0, -1, '-1', '0', 'BAD', 'thumbs_down', 'dislike', 'No'])('takes %j for a thumbs-down', (value) =>
  expect(read(value)).toBe(false),
)

it.each([0.5, 2, -0.9, 'maybe', '', ' ', null, undefined, [], {}, Number.NaN])('takes %j for no vote', (value) =>
  expect(read(value)).toBe('no_label'),
)

it('takes the values that are named, and then no others', () => {
  const options = { up: ['4', '5'], down: ['1'] }
  expect([5, '1', 1, 3, true].map((value) => read(value, options))).toEqual([
    true,
    false,
    false,
    'no_label',
    'no_label',
  ])
})
