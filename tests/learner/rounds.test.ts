import { expect, test } from 'vitest'
import { BcodError, type ErrorCode } from '../../src/errors.js'
import { inRounds } from '../../src/learner/rounds.js'

interface Story {
  /** What throws, and the code of its error. */
  readonly fails?: Readonly<Record<string, ErrorCode>>
  /** Places that are workers. */
  readonly remote?: readonly number[]
  readonly items?: string
}

/** What happens to items on some places, in order; at the end what is thrown. */
function story(count: number, { fails = {}, remote = [], items = 'abcde' }: Story = {}): readonly string[] {
  const log: string[] = []
  const step = (text: string) => {
    log.push(text)
    const code = fails[text]
    if (code !== undefined) throw new BcodError(code, text)
  }
  const places = {
    places: [...Array(count).keys()],
    isRemote: (place: number) => remote.includes(place),
    drop(place: number, { code }: BcodError) {
      if (!places.places.includes(place)) return
      log.push(`drop ${place}: ${code}`)
      places.places = places.places.filter((each) => each !== place)
    },
  }
  const work = {
    begin(item: string, place: number, index: number) {
      step(`begin ${item} at ${place}`)
      return () => {
        step(`end ${item} at ${place}`)
        return `${item}${index}`
      }
    },
    bring: (place: number) => step(`bring ${place}`),
    take: (item: string, result: string) => step(`take ${item} ${result}`),
  }
  try {
    inRounds([...items], places, work)
  } catch (error) {
    log.push(`thrown: ${(error as BcodError).message}`)
  }
  return log
}

test('one place computes one after the other', () => {
  expect(story(1, { items: 'ab' })).toEqual([
    ...['begin a at 0', 'end a at 0', 'take a a0', 'begin b at 0', 'end b at 0', 'take b b1'],
  ])
})

test('places begin together, and results come in the order of the items', () => {
  expect(story(3)).toEqual([
    ...['begin a at 0', 'begin b at 1', 'begin c at 2', 'end a at 0', 'end b at 1', 'end c at 2'],
    ...['take a a0', 'bring 1', 'take b b1', 'bring 2', 'take c c2'],
    ...['begin d at 0', 'begin e at 1', 'end d at 0', 'end e at 1', 'take d d3', 'bring 1', 'take e e4'],
  ])
})

test('if one fails, what has begun is waited for, nothing is taken, and no more begins', () => {
  const begun = ['begin a at 0', 'begin b at 1', 'begin c at 2']
  const failing = (text: string) => story(3, { fails: { [text]: 'DEVICE_OUT_OF_MEMORY' } })
  expect(failing('end b at 1')).toEqual([...[...begun, 'end a at 0', 'end b at 1', 'end c at 2', 'thrown: end b at 1']])
  expect(failing('begin b at 1')).toEqual([...begun, 'end a at 0', 'end c at 2', 'thrown: begin b at 1'])
})

test('what a lost worker had is computed at the first place in its turn, and the rest goes on without it', () => {
  const log = story(3, { remote: [1, 2], fails: { 'end b at 1': 'WORKER_LOST' } })
  expect(log).toEqual([
    ...['begin a at 0', 'begin b at 1', 'begin c at 2', 'end a at 0', 'end b at 1', 'end c at 2'],
    ...['drop 1: WORKER_LOST', 'take a a0', 'begin b at 0', 'end b at 0', 'take b b1', 'bring 2', 'take c c2'],
    ...['begin d at 0', 'begin e at 2', 'end d at 0', 'end e at 2', 'take d d3', 'bring 2', 'take e e4'],
  ])
})

test('a worker that is lost when its result is fetched loses that result alone', () => {
  const log = story(2, { items: 'abc', remote: [1], fails: { 'bring 1': 'WORKER_TIMEOUT' } })
  expect(log.slice(4)).toEqual([
    ...['take a a0', 'bring 1', 'begin b at 0', 'end b at 0', 'drop 1: WORKER_TIMEOUT', 'take b b1'],
    ...['begin c at 0', 'end c at 0', 'take c c2'],
  ])
})

test('a worker without memory is dropped if the first place has enough, and else it is the item that is too large', () => {
  const fails = { 'begin b at 1': 'DEVICE_OUT_OF_MEMORY' } as const
  expect(story(2, { items: 'ab', remote: [1], fails }).slice(-4)).toEqual([
    ...['begin b at 0', 'end b at 0', 'drop 1: DEVICE_OUT_OF_MEMORY', 'take b b1'],
  ])
  const both = { ...fails, 'begin b at 0': 'DEVICE_OUT_OF_MEMORY' } as const
  const log = story(2, { items: 'ab', remote: [1], fails: both })
  expect(log.at(-1)).toBe('thrown: begin b at 0')
  expect(log.join()).not.toContain('drop')
})

test('a worker that is lost in a round that fails is not asked again', () => {
  const fails = { 'end a at 0': 'DEVICE_OUT_OF_MEMORY', 'end b at 1': 'WORKER_LOST' } as const
  expect(story(2, { remote: [1], fails }).slice(-2)).toEqual(['drop 1: WORKER_LOST', 'thrown: end a at 0'])
})
