import fc from 'fast-check'
import { from } from 'rxjs'
import { expect, test } from 'vitest'
import type { Content, Feedback, Message, TrainingEvent } from '../../src/events/types.js'
import { holdOut, withoutHeldOut } from '../../src/streams/hold-out.js'
import { text, trainingEvent, vote } from './events.js'
import { marbles } from './marbles.js'

/** Positions in the list of the votes that are held out. */
function heldOutOf(votes: readonly Feedback[], share: number, seed: number): Set<number> {
  const out = new Set<number>()
  from(votes)
    .pipe(holdOut(share, seed))
    .subscribe((event) => event.heldOut !== undefined && out.add(event.position.offset))
  return out
}

const asking = (prompt: Content, offset = 0) => vote(offset, { prompt })
const votes = Array.from({ length: 2_000 }, (_, offset) => asking(text(`question ${offset}`), offset))

const user = (content: string): Message => ({ role: 'user', content })
const assistant = (content: string): Message => ({ role: 'assistant', content })
const system = (content: string): Message => ({ role: 'system', content })
const chat = (...messages: Message[]): Content => ({ kind: 'messages', messages })

/** Whether the votes on two prompts share their fate, whatever the seed. */
function shareFate(one: Content, other: Content): boolean {
  const seeds = Array.from({ length: 40 }, (_, seed) => seed)
  return seeds.every((seed) => [0, 2].includes(heldOutOf([asking(one, 1), asking(other, 2)], 0.5, seed).size))
}

test('at a share of 0 votes pass as they are', () => {
  marbles(({ cold, expectObservable, expectSubscriptions }) => {
    const values = { a: vote(1), b: vote(2) }
    const source = cold('-a-b-|', values)
    expectObservable(source.pipe(holdOut(0, 1))).toBe('-a-b-|', values)
    expectSubscriptions(source.subscriptions).toBe('^----!')
  })
})

test('what is held out is handed over and does not train', () => {
  marbles(({ cold, expectObservable, expectSubscriptions, flush }) => {
    const out: TrainingEvent[] = []
    const values = {
      a: trainingEvent(1, true),
      b: { ...trainingEvent(2, true), heldOut: 7 },
      c: trainingEvent(3, false),
    }
    const source = cold('-ab-c|', values)
    expectObservable(source.pipe(withoutHeldOut((event) => out.push(event)))).toBe('-a--c|', values)
    expectSubscriptions(source.subscriptions).toBe('^----!')
    flush()
    expect(out).toEqual([values.b])
  })
})

test('holds out its share of the conversations, the same on every run', () => {
  const out = heldOutOf(votes, 0.2, 3)
  // Binomial(2000, 0.2): five standard deviations are 89.
  expect(Math.abs(out.size - 400)).toBeLessThan(89)
  expect(heldOutOf([...votes].reverse(), 0.2, 3)).toEqual(out)
  expect(heldOutOf(votes, 0.2, 4)).not.toEqual(out)
})

test('completions of one prompt share its fate, whoever wrote them and however it is spelt', () => {
  const prompt = text('Why is the sky blue?')
  const variants = [
    vote(1, { prompt, completion: text('Rayleigh scattering.'), source: 'chat', user: 'a' }),
    vote(2, { prompt, completion: text('Because of the sea.'), source: 'survey', user: 'b', label: false }),
    vote(3, { prompt: text('  why is the\u00a0SKY blue?\n'), completion: text('It is not.'), subject: null }),
    vote(4, { prompt: chat(user('Why is the sky blue?')) }),
  ]
  for (let seed = 0; seed < 40; seed++) expect([0, 4]).toContain(heldOutOf(variants, 0.5, seed).size)
})

test('all turns of a conversation share its fate, though its system message changes', () => {
  const first = chat(system('It is ten past four.'), user('Write me a poem.'))
  const second = chat(
    ...[system('It is twelve past four.'), user('Write me a poem.'), assistant('Roses are red.'), user('Longer.')],
  )
  expect(shareFate(first, second)).toBe(true)
  expect(shareFate(first, chat(system('It is ten past four.'), user('Write me a song.')))).toBe(false)
  expect(
    shareFate(chat(user(''), assistant('Hello.'), user('One?')), chat(user(''), assistant('Hi.'), user('One?'))),
  ).toBe(true)
})

test('without a word of a user the whole prompt decides', () => {
  expect(shareFate(chat(system('Say a number.')), chat(system('Say a number.')))).toBe(true)
  expect(shareFate(chat(system('Say a number.')), chat(system('Say a letter.')))).toBe(false)
})

test('token ids are told apart by all of them', () => {
  const ids = (...tokens: number[]): Content => ({ kind: 'tokens', tokens })
  expect(shareFate(ids(1, 2, 3), ids(1, 2, 3))).toBe(true)
  expect(shareFate(ids(1, 2, 3), ids(1, 2, 4))).toBe(false)
})

test('a larger share takes in what a smaller one does', () => {
  fc.assert(
    fc.property(fc.double({ min: 0, max: 0.5, noNaN: true }), fc.integer(), (share, seed) => {
      const few = votes.slice(0, 60)
      const larger = heldOutOf(few, 2 * share, seed)
      for (const offset of heldOutOf(few, share, seed)) expect(larger).toContain(offset)
    }),
    { numRuns: 20 },
  )
})
