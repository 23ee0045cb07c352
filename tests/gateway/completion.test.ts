import { describe, expect, it } from 'vitest'
import { answerId, choiceId, completionTime, newCompletionId } from '../../src/gateway/completion.js'

describe('the id of an answer', () => {
  it('has the time of the request in its first 48 bits, as RFC 9562 lays a UUID of version 7 out', () => {
    // the example of RFC 9562, appendix A.6: Tuesday, February 22, 2022 2:22:22.00 PM GMT-05:00
    expect(completionTime('cmpl-017f22e2-79b0-7cc3-98c4-dc0c0c07398f')).toEqual(new Date('2022-02-22T19:22:22.000Z'))
  })

  it('is read back, sorts by time and differs each time', () => {
    const times = [0, 1, 86_400_000, 1_800_000_000_000].map((time) => new Date(time))
    const ids = times.map(newCompletionId)
    expect(ids.map(completionTime)).toEqual(times)
    expect([...ids].reverse().sort()).toEqual(ids)
    expect(new Set(Array.from({ length: 100 }, () => newCompletionId(new Date(5)))).size).toBe(100)
  })

  it('of a later choice ends with its number, and belongs to the same answer', () => {
    const id = newCompletionId(new Date(5))
    expect(choiceId(id, 0)).toBe(id)
    expect(choiceId(id, 3)).toBe(`${id}:3`)
    expect(completionTime(`${id}:3`)).toEqual(new Date(5))
    expect([answerId(id), answerId(`${id}:12`)]).toEqual([id, id])
  })

  it.each([
    ['', 'nothing'],
    ['chatcmpl-017f22e2-79b0-7cc3-98c4-dc0c0c07398f', 'the id of a server'],
    ['cmpl-017f22e2-79b0-4cc3-98c4-dc0c0c07398f', 'a UUID of version 4'],
    ['cmpl-017F22E2-79B0-7CC3-98C4-DC0C0C07398F', 'capital letters, which the log does not have'],
    ['cmpl-017f22e2-79b0-7cc3-98c4-dc0c0c07398', 'too short'],
    ['cmpl-017f22e2-79b0-7cc3-98c4-dc0c0c07398f:0', 'the first choice has no number'],
    ['cmpl-017f22e2-79b0-7cc3-98c4-dc0c0c07398f:1\n', 'a newline'],
  ])('%j is none: %s', (id) => {
    expect(completionTime(id)).toBeNull()
  })
})
