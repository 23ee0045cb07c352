import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { RecentRecords } from '../../../src/gateway/log/recent-records.js'

const ROOM = 200
const LONGEST = 40
const puts = fc.array(fc.record({ key: fc.integer({ min: 0, max: 30 }), length: fc.integer({ min: 1, max: LONGEST }) }))

describe('a record', () => {
  it('is what was put last under its key, or forgotten; the newer half never is', () => {
    fc.assert(
      fc.property(puts, (given) => {
        const records = new RecentRecords(ROOM)
        const values = given.map(({ length }, i) => Buffer.alloc(length, i + 1))
        for (const [i, { key }] of given.entries()) records.put(`${key}`, values[i]!)
        for (const [i, { key, length }] of given.entries()) {
          const later = given.slice(i + 1)
          if (later.some((each) => each.key === key)) continue
          const kept = records.get(`${key}`)
          if (kept !== null) expect(kept).toEqual(values[i])
          // the end of a half is unused if the next record did not fit
          const newer = later.reduce((sum, each) => sum + each.length, 0)
          if (length + newer <= ROOM / 2 - LONGEST) expect(kept).not.toBeNull()
        }
      }),
    )
  })

  it('takes no more than there is room for', () => {
    const records = new RecentRecords(ROOM)
    for (let i = 0; i < 100; i++) records.put(`${i}`, Buffer.alloc(20, i))
    const kept = Array.from({ length: 100 }, (_, i) => records.get(`${i}`)).filter((each) => each !== null)
    expect(kept.length * 20).toBeGreaterThanOrEqual(ROOM / 2)
    expect(kept.length * 20).toBeLessThanOrEqual(ROOM)
  })

  it('that is larger than a half is not kept', () => {
    const records = new RecentRecords(ROOM)
    records.put('small', Buffer.alloc(10, 1))
    records.put('large', Buffer.alloc(ROOM, 2))
    expect(records.get('large')).toBeNull()
    expect(records.get('small')).toEqual(Buffer.alloc(10, 1))
  })

  it('is a copy: it stays as it is when its place is taken', () => {
    const records = new RecentRecords(ROOM)
    records.put('first', Buffer.alloc(90, 1))
    const read = records.get('first')
    for (const key of ['second', 'third']) records.put(key, Buffer.alloc(90, 2))
    expect(read).toEqual(Buffer.alloc(90, 1))
    expect(records.get('first')).toBeNull()
  })
})
