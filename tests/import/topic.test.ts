import { expect, it } from 'vitest'
import type { FeedbackDraft } from '../../src/events/encode.js'
import { publishEvents } from '../../src/import/topic.js'

const event = (id: number, length: number): FeedbackDraft => ({
  ...{ source: 's', id: String(id), label: true },
  ...{ prompt: { kind: 'text', text: 'x'.repeat(length) }, completion: { kind: 'text', text: 'y' } },
})

async function requests(events: readonly FeedbackDraft[]): Promise<string[][]> {
  const sent: string[][] = []
  const publisher = { publish: async (batch: readonly FeedbackDraft[]) => void sent.push(batch.map(({ id }) => id)) }
  await publishEvents(
    publisher,
    (async function* () {
      yield* events
    })(),
  )
  return sent
}

it('publishes in order, in requests of at most 500 events and half a mebibyte', async () => {
  const small = Array.from({ length: 1001 }, (_, i) => event(i, 1))
  expect((await requests(small)).map((batch) => batch.length)).toEqual([500, 500, 1])
  expect((await requests(small)).flat()).toEqual(small.map(({ id }) => id))
  const large = [event(1, 300_000), event(2, 200_000), event(3, 200_000), event(4, 900_000), event(5, 1)]
  expect(await requests(large)).toEqual([['1', '2'], ['3'], ['4'], ['5']])
  expect(await requests([])).toEqual([])
})
