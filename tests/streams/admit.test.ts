import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Admission, type AdmissionOptions, admit } from '../../src/streams/admit.js'
import { dropLog, text, vote } from './events.js'
import { marbles } from './marbles.js'

const OFF: AdmissionOptions = { window: 4, userShare: 0, promptRepeats: 0 }

test('drops what is above a cap, with its reason', () => {
  marbles(({ cold, expectObservable, expectSubscriptions, flush }) => {
    const { drop, dropped } = dropLog()
    const values = {
      ...{ a: vote(1), b: vote(2, { prompt: text('other') }), c: vote(3, { user: 'v' }) },
      ...{ d: vote(4, { user: 'w' }), e: vote(5, { user: 'w', prompt: text('new') }) },
    }
    const source = cold('-a-b-c-d-e-|', values)
    const subs = '        ^----------!'
    const expected = '    -a---c---e-|'
    const admission = new Admission({ window: 4, userShare: 0.5, promptRepeats: 2 })
    expectObservable(source.pipe(admit(admission, drop))).toBe(expected, values)
    expectSubscriptions(source.subscriptions).toBe(subs)
    flush()
    expect(dropped).toEqual(['2 user_cap', '4 prompt_cap'])
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

test('a user never has more than the share of what was admitted, from the first vote on, beyond the minimum', () => {
  const users = fc.array(fc.constantFrom('a', 'a', 'a', 'b', 'c', 'd', 'e', null), { maxLength: 200 })
  const share = fc.constantFrom(0.1, 0.25, 0.5)
  fc.assert(
    fc.property(
      users,
      share,
      fc.constantFrom(1, 5),
      fc.constantFrom(20, 1000),
      (sent, userShare, userMinimum, window) => {
        const admission = new Admission({ ...OFF, window, userShare, userMinimum })
        const admitted: (string | null)[] = []
        sent.forEach((user, i) => {
          if (admission.refuse(vote(i, { user })) !== null) return
          admitted.push(user)
          const recent = admitted.slice(-window)
          const own = recent.filter((each) => each === user).length
          expect(own).toBeLessThanOrEqual(Math.max(userMinimum, userShare * recent.length))
        })
        // nobody is shut out by others
        expect(new Set(admitted)).toEqual(new Set(sent))
      },
    ),
  )
})

test.each(['\u0315\u0300\u05ae\u0331', '\uff9e\u0301', '\ufdfa'])(
  'a megabyte of %j does not take minutes to compare',
  (characters) => {
    const admission = new Admission({ window: 100, userShare: 0, promptRepeats: 1 })
    const prompt = text(characters.repeat(2 ** 20 / Buffer.byteLength(characters)))
    expect([0, 1].map((offset) => admission.refuse(vote(offset, { prompt })))).toEqual([null, 'prompt_cap'])
  },
)

test('accents are the same in any order, however many they are', () => {
  const admission = new Admission({ window: 100, userShare: 0, promptRepeats: 1 })
  const marks = ['\u0301', '\u0323']
  for (const count of [1, 14]) {
    const refuse = (order: readonly string[]) =>
      admission.refuse(vote(count, { prompt: text(`a${order.join('').repeat(count)}`) }))
    expect([refuse(marks), refuse(marks.toReversed())]).toEqual([null, 'prompt_cap'])
  }
})

test('one voter alone gets no further than the minimum, however large the window', () => {
  const admission = new Admission({ window: 10_000, userShare: 0.1, userMinimum: 100, promptRepeats: 0 })
  const verdicts = Array.from({ length: 1_000 }, (_, i) => admission.refuse(vote(i, { user: 'mallory' })))
  expect(verdicts.filter((verdict) => verdict === null)).toHaveLength(100)
})

test('the votes of a source that name no user are those of one user; users of two sources are two', () => {
  const admission = new Admission({ ...OFF, window: 100, userShare: 0.1 })
  expect(admission.refuse(vote(0, { user: null }))).toBeNull()
  expect(admission.refuse(vote(1, { user: null }))).toBe('user_cap')
  expect(admission.refuse(vote(2, { user: 'a' }))).toBeNull()
  expect(admission.refuse(vote(3, { user: 'a' }))).toBe('user_cap')
  expect(admission.refuse(vote(4, { user: 'a', source: 'survey' }))).toBeNull()
})

test('what is refused counts for nobody', () => {
  const admission = new Admission({ ...OFF, window: 100, userShare: 0.5, promptRepeats: 1 })
  expect(admission.refuse(vote(0, { user: 'a' }))).toBeNull()
  for (let i = 1; i < 20; i++) expect(admission.refuse(vote(i, { user: `other ${i}` }))).toBe('prompt_cap')
  expect(admission.refuse(vote(20, { user: 'a', prompt: text('another') }))).toBe('user_cap')
})

test('prompts that a reader would call the same are the same', () => {
  const same = [
    'How do I reset my password?',
    '  how do i RESET\n my\u00a0password? ',
    'How do I re\u200bset my pass\u00adword?',
    'Ｈｏｗ ｄｏ Ｉ ｒｅｓｅｔ ｍｙ ｐａｓｓｗｏｒｄ？',
  ]
  const messages = (content: string, role = 'user') => ({ kind: 'messages' as const, messages: [{ role, content }] })
  for (const form of [text, messages]) {
    const admission = new Admission({ ...OFF, promptRepeats: 1 })
    expect(same.map((each, i) => admission.refuse(vote(i, { prompt: form(each) })))).toEqual([
      null,
      'prompt_cap',
      'prompt_cap',
      'prompt_cap',
    ])
    expect(admission.refuse(vote(9, { prompt: form('How do I reset her password?') }))).toBeNull()
  }
  // U+0301 composes with the letter before it (UAX #15), U+1161 with the Hangul before it
  for (const [letter, mark] of [
    ['e', '\u0301'],
    ['\u1100', '\u1161'],
  ] as const) {
    const accents = new Admission({ ...OFF, promptRepeats: 1 })
    expect(accents.refuse(vote(0, { prompt: text(`${letter}${mark}`.normalize('NFC')) }))).toBeNull()
    for (const invisible of [
      '',
      '\u200b',
      '\u00ad',
      '\u034f',
      '\u2060',
      '\ufe0f',
      '\u200d\u200c',
      '\u{e0061}',
      '\uffa0',
    ])
      expect(accents.refuse(vote(1, { prompt: text(`${letter}${invisible}${mark}`) }))).toBe('prompt_cap')
  }
  const admission = new Admission({ ...OFF, promptRepeats: 1 })
  expect(admission.refuse(vote(0, { prompt: messages('a') }))).toBeNull()
  expect(admission.refuse(vote(1, { prompt: messages('a', 'system') }))).toBeNull()
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
