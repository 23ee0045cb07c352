import { expect, test } from 'vitest'
import { UsedPlaces } from '../../src/engine/used-places.js'
import { BcodError } from '../../src/errors.js'

const reason = new BcodError('WORKER_LOST', 'for the test')

/** Places of two stages: the first has layers at a worker; the third and the fourth have one in common. */
function used() {
  const dropped: number[] = []
  const workers = [null, 'a:1', 'b:1', 'c:1', 'c:1', 'd:1', null, 'a:1', 'e:1', 'a:1']
  const places = { devices: workers.map(() => 'CPU:0'), workers, stages: 2, atFirstOnly: [] }
  return { places: new UsedPlaces(places, (place) => dropped.push(place)), dropped }
}

test('a place is remote if it needs a worker that the first does not need', () => {
  const { places } = used()
  expect(places.numbers.map((place) => places.isRemote(place))).toEqual([false, true, true, false, true])
  expect(places.numbers.map((place) => places.workersOf(place))).toEqual([
    [],
    ['b:1', 'c:1'],
    ['c:1', 'd:1'],
    [],
    ['e:1'],
  ])
  expect(places.workers).toEqual(['a:1', 'b:1', 'c:1', 'd:1', 'e:1'])
})

test('with a place go those that share one of its workers, and each is told once', () => {
  const { places, dropped } = used()
  places.drop(1, reason)
  expect(places.numbers).toEqual([0, 3, 4])
  places.drop(2, reason)
  expect(dropped).toEqual([1, 2])
})

test('with a worker go its places, but the first needs its own', () => {
  const { places, dropped } = used()
  places.dropWorker('d:1', reason)
  expect(dropped).toEqual([2])
  expect(() => places.dropWorker('a:1', reason)).toThrow(reason)
  expect(places.numbers).toEqual([0, 1, 3, 4])
})

test('what fails where the first place is fails for all', () => {
  const { places } = used()
  const fail = () => {
    throw reason
  }
  expect(() => places.orDrop(3, fail)).toThrow(reason)
  places.orDrop(4, fail)
  expect(places.numbers).toEqual([0, 1, 2, 3])
})
