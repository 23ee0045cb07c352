import { describe, expect, it } from 'vitest'
import { strftime } from '../../src/text/strftime.js'

describe('strftime', () => {
  it('writes what Python writes', () => {
    // datetime(2026, 2, 3, 4, 5, 6).strftime(…)
    const date = new Date(Date.UTC(2026, 1, 3, 4, 5, 6))
    expect(strftime(date, '%A, %d %B %Y')).toBe('Tuesday, 03 February 2026')
    expect(strftime(date, '%a %d %b %y %m %H:%M:%S 100%%')).toBe('Tue 03 Feb 26 02 04:05:06 100%')
    expect(strftime(date, '%-d %-m %-H %-M %e %I %p %j %-j %F %T %-y %Q')).toBe(
      '3 2 4 5  3 04 AM 034 34 2026-02-03 04:05:06 26 %Q',
    )
  })
})
