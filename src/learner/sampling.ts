import type { Session } from '../engine/index.js'
import type { DecoderSpec } from '../model/decoder.js'
import { type Sample, type SamplingOptions, sampleAnswers } from '../model/generate.js'
import type { PlaceTimes } from './place-times.js'
import { inRounds } from './rounds.js'
import { SideBySide } from './side-by-side.js'

type Answers = readonly (readonly number[])[]

/**
 * Samples answers at all places, in groups of as many prompts as the decoder has rows. The tokens depend on the seed,
 * the prompt and its number, not on how many places there are.
 *
 * @returns null if a token has no probability
 */
export function sampleInRounds(
  { session, placeTimes }: { readonly session: Session; readonly placeTimes: PlaceTimes },
  decoder: DecoderSpec,
  prompts: readonly (readonly number[])[],
  options: SamplingOptions,
): Answers | null {
  const answers: (Answers | null)[] = []
  const sampling = new SideBySide<Answers | null>()
  const work = {
    begin: (group: readonly Sample[], place: number) =>
      sampling.begin(
        sampleAnswers(decoder, group, options, (program, inputs) => session.start(program, inputs, place)),
      ),
    take: (_: readonly Sample[], result: Answers | null) => answers.push(result),
  }
  placeTimes.count(() => inRounds(groupsOf(prompts, decoder.rows), session, work))
  return answers.every((each) => each !== null) ? answers.flat() : null
}

/** Prompts in order, with their numbers. */
function groupsOf(prompts: Answers, rows: number): readonly (readonly Sample[])[] {
  const samples = prompts.map((prompt, index) => ({ prompt, index }))
  return Array.from({ length: Math.ceil(samples.length / rows) }, (_, i) => samples.slice(i * rows, (i + 1) * rows))
}
