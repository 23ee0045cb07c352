import { TestScheduler } from 'rxjs/testing'
import { describe, expect, it } from 'vitest'
import { BcodError } from '../../src/errors.js'
import { decode, unlessRefused } from '../../src/streams/decode.js'
import { cloudEvent, record } from '../events/records.js'

const good = record(cloudEvent())
const tombstone = record(null)
const keyed = { ...tombstone, key: Buffer.from('completion-1') }
const broken = record(Buffer.from('{'))
const large = record(Buffer.alloc(2000, 'x'))

function run(source: string, expected: string, subscription: string, tombstones: 'ignore' | 'retract' = 'ignore') {
  const side: string[] = []
  new TestScheduler((actual, wanted) => expect(actual).toEqual(wanted)).run(
    ({ hot, expectObservable, expectSubscriptions }) => {
      const records$ = hot(source, { a: good, t: tombstone, k: keyed, b: broken, l: large })
      const decoded$ = records$.pipe(
        decode(
          { maxRecordBytes: 1000, tombstones },
          (rejected, error, stage) => side.push(`${stage} ${error.code} ${rejected.offset}`),
          (ignored, reason) => side.push(`${reason} ${ignored.offset}`),
        ),
      )
      expectObservable(decoded$).toBe(expected, {
        a: { record: good, envelope: { attributes: cloudEvent(), data: cloudEvent().data, framed: false } },
        k: { record: keyed, envelope: null },
      })
      expectSubscriptions(records$.subscriptions).toBe(subscription)
    },
  )
  return side
}

describe('decode', () => {
  it('emits record and envelope for each record, and completes with its source', () => {
    const source = '      -a-a--|'
    const expected = '    -a-a--|'
    const subscription = '^-----!'
    expect(run(source, expected, subscription)).toEqual([])
  })

  it('emits a tombstone with a key where tombstones retract, and ignores one without', () => {
    const source = '      -k-t-a-|'
    const retracts = '    -k---a-|'
    const ignored = '     -----a-|'
    const subscription = '^------!'
    expect(run(source, retracts, subscription, 'retract')).toEqual(['tombstone 17'])
    expect(run(source, ignored, subscription)).toEqual(['tombstone 17', 'tombstone 17'])
  })

  it('ignores tombstones, rejects what cannot be decoded, and goes on', () => {
    const source = '      -a-t-b-l-a-|'
    const expected = '    -a-------a-|'
    const subscription = '^----------!'
    expect(run(source, expected, subscription)).toEqual([
      'tombstone 17',
      'decode FEEDBACK_NOT_JSON 17',
      'decode FEEDBACK_TOO_LARGE 17',
    ])
  })

  it('hands on an error of its source', () => {
    const source = '      -a-#'
    const expected = '    -a-#'
    const subscription = '^--!'
    run(source, expected, subscription)
  })
})

describe('attempt', () => {
  it('gives what is no coded error a code of its own, and says nothing of its text', () => {
    const lines: string[] = []
    const thrown: unknown[] = [new RangeError('hunter2'), 'hunter2', new BcodError('FEEDBACK_INVALID', 'no label')]
    for (const each of thrown) {
      const run = () => {
        throw each
      }
      expect(unlessRefused(run, ({ line }) => lines.push(line))).toBeNull()
    }
    expect(lines).toEqual([
      'FEEDBACK_UNREADABLE: RangeError',
      'FEEDBACK_UNREADABLE: string',
      'FEEDBACK_INVALID: no label',
    ])
  })
})
