import { expect, it } from 'vitest'
import { finding } from '../../src/gate/check.js'
import { reportText } from '../../src/gate/report-text.js'

it('a report reads as a table with the details below', () => {
  const text = reportText({
    ...{ version: 'v00000020', parent: 'v00000010', started: '2026-01-02T03:04:05.000Z', seconds: 1.26 },
    outcome: 'refused',
    checks: [
      { name: 'finite', ...finding({ outcome: 'passed' }) },
      {
        name: 'probe:flattery',
        ...finding({ outcome: 'refused', value: -6.1234, low: -8, high: -4.25, bound: -5, reference: 'base' }),
        detail: '11 pairs',
      },
      { name: 'update_norm', ...finding({ outcome: 'passed', value: 0.012345, bound: 1, reference: 'base' }) },
    ],
  })
  expect(text).toBe(`# Gate of v00000020: refused

Live at the time: v00000010. Started 2026-01-02T03:04:05.000Z, took 1.3 s.

| check          | outcome | value  | 95 % interval | bound | against |
|----------------|---------|--------|---------------|-------|---------|
| finite         | passed  |        |               |       |         |
| probe:flattery | refused | -6.12  | -8 … -4.25    | > -5  | base    |
| update_norm    | passed  | 0.0123 |               | ≤ 1   | base    |

- probe:flattery: 11 pairs`)
})
