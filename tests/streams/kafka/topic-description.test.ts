import { expect, test } from 'vitest'
import { mayDiffer, type TopicDescription } from '../../../src/streams/kafka/topic-description.js'

const described = (id: string | null, ...epochs: (number | null)[]): TopicDescription => ({
  id,
  partitions: epochs.map((epoch, partition) => ({ partition, leader: 1, epoch })),
})

test.each([
  ['nothing has changed', described('a', 3, 4), false],
  ['the topic has another id', described('b', 3, 4), true],
  ['an assigned partition has had another leader', described('a', 3, 5), true],
  ['a partition that is not assigned has had another leader', described('a', 9, 4), false],
  ['partitions were added', described('a', 3, 4, 0), false],
])('what was read is compared again, or not: %s', (_, now, expected) => {
  expect(mayDiffer(described('a', 3, 4), now, [1])).toBe(expected)
})

test('where the broker tells neither, nothing seems to change', () => {
  expect(mayDiffer(described(null, null), described(null, null), [0])).toBe(false)
})
