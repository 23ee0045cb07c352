import { expect, it } from 'vitest'

// the page is plain JavaScript for browsers; this part of it needs none
const { canaryText, points, upliftText } = await import(
  new URL('../../../src/server/page/arm-texts.js', import.meta.url).href
)

const CANARY = {
  ...{ version: 'v00000130', against: 'v00000120', passed: false, difference: -0.012, low: -0.05, high: 0.026 },
  ...{ canary: { votes: 340 }, live: { votes: 3100 } },
}
const control = { votes: 40, users: 4, up_ratio: 0.5 }

it('a difference is in points, with its sign', () => {
  expect([0.021, -0.0149, 0].map(points)).toEqual(['+2.1', '−1.5', '0.0'])
})

it('the canary has its evidence in one sentence', () => {
  expect(canaryText(CANARY)).toBe(
    'Canary v00000130: −1.2 points against v00000120 (−5.0 to +2.6 points; 340 votes, 3,100 of live). Not decided yet.',
  )
  expect(canaryText({ ...CANARY, passed: true })).toContain('It has passed and waits to be promoted.')
  expect(canaryText({ ...CANARY, difference: null })).toBe(
    'Canary v00000130: too few users have voted (340 votes, 3,100 of live).',
  )
  expect(canaryText(null)).toBe('')
})

it('the uplift is told once there is a control', () => {
  const uplift = { value: 0.02, low: -0.01, high: 0.05, since: 0 }
  expect(upliftText({ arms: null, uplift: null })).toBe('')
  expect(upliftText({ arms: { control }, uplift: null })).toBe('Uplift: too few users of live or control have voted.')
  expect(upliftText({ arms: { control }, uplift })).toMatch(
    /^Uplift of live over control: \+2\.0 points \(−1\.0 to \+5\.0 points\) since \d\d:\d\d\.$/,
  )
})
