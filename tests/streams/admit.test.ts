import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Admission, type AdmissionOptions, admit } from '../../src/streams/admit.js'
import { dropLog, text, vote } from './events.js'
import { marbles } from './marbles.js'

const OFF: AdmissionOptions = { window: 4, userShare: 0, promptRepeats: 0 }

test('drops what is above a cap, with its reason', () => {
  marbles(({ cold, expectObservable, expectSubscriptions, flush }) => {
    const { drop, dropped } = dropLog()
    const values = { a: vote(1), b: vote(2), c: vote(3), d: vote(4, { user: 'v', prompt: text('prompt') }) }
    const source = cold('-a-b-c-d-|', values)
    const subs = '        ^--------!'
    const expected = '    -a-b-----|'
    const admission = new Admission({ window: 4, userShare: 0.5, promptRepeats: 2 })
    expectObservable(source.pipe(admit(admission, drop))).toBe(expected, values)
    expectSubscriptions(source.subscriptions).toBe(subs)
    flush()
    expect(dropped).toEqual(['3 user_cap', '4 prompt_cap'])
  })
})

test('admits everything when both caps are off', () => {
  const admission = new Admission(OFF)
  for (let offset = 0; offset < 20; offset++) expect(admission.refuse(vote(offset))).toBeNull()
})

test('a user may come again once others have moved the window on', () => {
  const admission = new Admission({ ...OFF, userShare: 0.25 })
  expect(admission.refuse(vote(0, { user: 'a' }))).toBeNull()
  expect(admission.refuse(vote(1, { user: 'a' }))).toBe('user_cap')
  for (let i = 0; i < 4; i++) expect(admission.refuse(vote(2 + i, { user: `other ${i}` }))).toBeNull()
  expect(admission.refuse(vote(6, { user: 'a' }))).toBeNull()
})

test('votes without a user are exempt from the user cap', () => {
  const admission = new Admission({ ...OFF, userShare: 0.25 })
  for (let offset = 0; offset < 8; offset++) expect(admission.refuse(vote(offset, { user: null }))).toBeNull()
})

test('prompts are the same when their text, messages or token ids are', () => {
  const admission = new Admission({ ...OFF, promptRepeats: 1 })
  const messages = [{ role: 'user', content: 'hello' }]
  expect(admission.refuse(vote(0, { prompt: { kind: 'messages', messages } }))).toBeNull()
  expect(admission.refuse(vote(1, { prompt: { kind: 'messages', messages: [...messages] } }))).toBe('prompt_cap')
  expect(admission.refuse(vote(2, { prompt: { kind: 'tokens', tokens: [1, 2] } }))).toBeNull()
  expect(admission.refuse(vote(3, { prompt: { kind: 'tokens', tokens: [1, 2] } }))).toBe('prompt_cap')
})

test('decides the same after a restore', () => {
  const users = fc.array(fc.tuple(fc.constantFrom('a', 'b', 'c', null), fc.constantFrom('p', 'q')), { maxLength: 40 })
  fc.assert(
    fc.property(users, users, (before, after) => {
      const options = { window: 5, userShare: 0.4, promptRepeats: 3 }
      const original = new Admission(options)
      const restored = new Admission(options)
      const decide = (admission: Admission, votes: typeof before) =>
        votes.map(([user, prompt], i) => admission.refuse(vote(i, { user, prompt: text(prompt) })))
      decide(original, before)
      decide(restored, after)
      restored.restore(original.snapshot())
      expect(decide(restored, after)).toEqual(decide(original, after))
    }),
  )
})

test('drops what an adapter wrote that is too many steps behind; adapters of other names are exempt', () => {
  marbles(({ cold, expectObservable, flush }) => {
    const { drop, dropped } = dropLog()
    const by = (offset: number, adapter: string | null) => vote(offset, { adapter })
    const values = { a: by(0, 'v00000090'), b: by(1, 'v00000089'), c: by(2, null), d: by(3, 'my-adapter') }
    const admission = new Admission({ ...OFF, adapterAge: 10 })
    const source = cold('     -a-b-c-d-|', values)
    const expected = '        -a---c-d-|'
    expectObservable(source.pipe(admit(admission, drop, () => 100))).toBe(expected, values)
    flush()
    expect(dropped).toEqual(['1 stale'])
  })
  const off = new Admission(OFF)
  expect(off.refuse(vote(0, { adapter: 'v00000001' }), 1_000_000)).toBeNull()
})
