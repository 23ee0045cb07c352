import { expect, test } from 'vitest'
import { allowSources } from '../../src/streams/sources.js'
import { dropLog, vote } from './events.js'
import { marbles } from './marbles.js'

test.each([
  [['web', 'mobile'], '-a-b---|', ['2 source_refused']],
  [[], '             -a-b-c-|', []],
])('of %j only these sources pass, and of an empty list all', (sources, expected, refused) => {
  marbles(({ cold, expectObservable, expectSubscriptions, flush }) => {
    const { drop, dropped } = dropLog()
    const values = { a: vote(0, { source: 'web' }), b: vote(1, { source: 'mobile' }), c: vote(2, { source: 'Web' }) }
    const source = cold('-a-b-c-|', values)
    expectObservable(source.pipe(allowSources(sources, drop))).toBe(expected.trimStart(), values)
    expectSubscriptions(source.subscriptions).toBe('^------!')
    flush()
    expect(dropped).toEqual(refused)
  })
})
