import { expect, test } from 'vitest'
import { dot, sigmoid, softplus } from '../../src/ratio/logistic.js'
import { multiply } from '../../src/ratio/packed.js'
import { PastCurvature } from '../../src/ratio/past-curvature.js'

const theta = Float64Array.of(0.4, -0.3, 0.2)
const events = [
  { row: Float64Array.of(1, 2, 1), label: true, weight: 1 },
  { row: Float64Array.of(-0.5, 1, 1), label: false, weight: 0.25 },
]

function pastOf(keep: number): PastCurvature {
  const past = new PastCurvature(3)
  past.add(events, theta)
  past.forget(keep)
  return past
}

test('has the gradient of the loss at the point where the events were taken, times what is kept', () => {
  const past = pastOf(0.5)
  const image = multiply(past.curvature, theta).map((value) => past.gain * value)
  for (let i = 0; i < 3; i++) {
    const exact = events.reduce(
      (sum, { row, label, weight }) => sum + 0.5 * weight * (sigmoid(dot(row, theta)) - (label ? 1 : 0)) * row[i]!,
      0,
    )
    expect(image[i]! - past.gain * past.linear[i]!).toBeCloseTo(exact, 14)
  }
})

test('follows the loss around that point to third order', () => {
  const past = pastOf(1)
  const exact = (at: Float64Array) =>
    events.reduce((sum, { row, label, weight }) => sum + weight * softplus((label ? -1 : 1) * dot(row, at)), 0)
  const quadratic = (at: Float64Array) => 0.5 * dot(at, multiply(past.curvature, at)) - dot(past.linear, at)
  const moved = (step: number) => theta.map((value, i) => value + step * [1, -1, 0.5][i]!)
  const error = (step: number) =>
    Math.abs(exact(moved(step)) - exact(theta) - (quadratic(moved(step)) - quadratic(theta)))
  expect(error(0.02) / error(0.01)).toBeCloseTo(8, 0)
})

test('what has been forgotten for ages leaves no trace, and what comes then counts in full', () => {
  const past = new PastCurvature(3)
  past.add(events, theta)
  for (let i = 0; i < 2_000; i++) past.forget(0.5)
  expect(past.gain).toBeGreaterThan(0)
  past.add(events.slice(0, 1), theta)
  const fresh = new PastCurvature(3)
  fresh.add(events.slice(0, 1), theta)
  past.curvature.forEach((value, i) => {
    expect(past.gain * value).toBeCloseTo(fresh.curvature[i]!, 14)
  })
})
