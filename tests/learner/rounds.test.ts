import { expect, test } from 'vitest'
import { inRounds } from '../../src/learner/rounds.js'

/** What happens to five items on some places, in order; `fails` names what throws. */
function story(places: number, fails = ''): readonly string[] {
  const log: string[] = []
  const step = (text: string) => {
    log.push(text)
    if (text === fails) throw new Error(fails)
  }
  const begin = (item: string, place: number, round: number) => {
    step(`begin ${item} at ${place} in ${round}`)
    return () => {
      step(`end ${item}`)
      return item.toUpperCase()
    }
  }
  const take = (item: string, result: string, place: number) => step(`take ${item}${result} of ${place}`)
  const numbers = [...Array(places).keys()]
  if (fails === '') inRounds([...'abcde'], numbers, begin, take)
  else expect(() => inRounds([...'abcde'], numbers, begin, take)).toThrow(fails)
  return log
}

test('one place computes one after the other', () => {
  expect(story(1).slice(0, 4)).toEqual(['begin a at 0 in 0', 'end a', 'take aA of 0', 'begin b at 0 in 1'])
})

test('places begin together, and results come in the order of the items', () => {
  expect(story(3)).toEqual([
    ...['begin a at 0 in 0', 'begin b at 1 in 0', 'begin c at 2 in 0', 'end a', 'end b', 'end c'],
    ...['take aA of 0', 'take bB of 1', 'take cC of 2'],
    ...['begin d at 0 in 1', 'begin e at 1 in 1', 'end d', 'end e', 'take dD of 0', 'take eE of 1'],
  ])
})

test('if one fails, what has begun is waited for, nothing is taken, and no more begins', () => {
  const begun = ['begin a at 0 in 0', 'begin b at 1 in 0', 'begin c at 2 in 0']
  expect(story(3, 'end b')).toEqual([...begun, 'end a', 'end b', 'end c'])
  expect(story(3, 'begin b at 1 in 0')).toEqual([...begun, 'end a', 'end c'])
})
