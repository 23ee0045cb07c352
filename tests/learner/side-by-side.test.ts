import { expect, test } from 'vitest'
import { type Runs, SideBySide } from '../../src/learner/side-by-side.js'

/** Runs of which each counts one further, and what happens in which order. */
function story(lengths: Readonly<Record<string, number>>, fails: readonly string[] = []) {
  const log: string[] = []
  function* runsOf(name: string, length: number): Runs<string> {
    let sum = 0
    for (let run = 1; run <= length; run++) {
      log.push(`begin ${name}${run}`)
      const { one } = yield () => {
        log.push(`end ${name}${run}`)
        if (fails.includes(`${name}${run}`)) throw new Error(`${name}${run} failed`)
        return { one: Float32Array.of(1) }
      }
      sum += one![0]!
    }
    return `${name}: ${sum}`
  }
  const all = new SideBySide<string>()
  const waits = Object.entries(lengths).map(([name, length]) => all.begin(runsOf(name, length)))
  return { log, waits }
}

test('each has a run under way while the others are waited for', () => {
  const { log, waits } = story({ a: 2, b: 3 })
  expect(log).toEqual(['begin a1', 'begin b1'])
  expect(waits[0]!()).toBe('a: 2')
  expect(log.slice(2)).toEqual(['end a1', 'begin a2', 'end b1', 'begin b2', 'end a2', 'end b2', 'begin b3'])
  expect(waits[1]!()).toBe('b: 3')
  expect(log.at(-1)).toBe('end b3')
})

test('one that fails throws when it is waited for, and the others go on', () => {
  const { log, waits } = story({ a: 2, b: 3, c: 2 }, ['b1'])
  expect(waits[0]!()).toBe('a: 2')
  expect(waits[1]!).toThrow('b1 failed')
  expect(waits[2]!()).toBe('c: 2')
  expect(log).not.toContain('begin b2')
})

test('one without a run has ended at once', () => {
  expect(story({ a: 0, b: 1 }).waits.map((wait) => wait())).toEqual(['a: 0', 'b: 1'])
})
