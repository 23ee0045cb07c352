import type { JournalEvent } from './journal.js'
import { readJournal } from './journal-reader.js'

/**
 * The events of the steps after one, up to another, that are in the weights of the latter: a resumption leaves out the
 * steps between it and the one that it went on from.
 *
 * @param path  of the journal
 * @throws JOURNAL_INVALID
 */
export async function* eventsLearnt(path: string, after: number, upTo: number): AsyncGenerator<JournalEvent> {
  const isLearnt = await stepsLearnt(path, upTo)
  for await (const { step, events } of readJournal(path)) {
    if (step > upTo) return
    if (step > after && isLearnt(step)) yield* events
  }
}

/** Whether a step is in the weights of the step `last`. */
async function stepsLearnt(path: string, last: number): Promise<(step: number) => boolean> {
  const resumptions: { readonly from: number; readonly at: number }[] = []
  for await (const { step, resumed } of readJournal(path))
    if (resumed) resumptions.push({ from: resumed.from, at: step })
  // from the last step back to the first: each resumption leads to the one that it went on from
  const stretches: { readonly first: number; readonly last: number }[] = []
  let end = last
  for (const { from, at } of resumptions.reverse()) {
    if (at > end) continue
    stretches.push({ first: at, last: end })
    end = from
  }
  stretches.push({ first: 0, last: end })
  return (step) => stretches.some((stretch) => step >= stretch.first && step <= stretch.last)
}
