import { TestScheduler } from 'rxjs/testing'
import { expect } from 'vitest'

/** Runs marbles in virtual time; a mismatch fails the test with both sides shown. */
export const marbles: TestScheduler['run'] = (test) =>
  new TestScheduler((actual, expected) => {
    expect(actual).toEqual(expected)
  }).run(test)
