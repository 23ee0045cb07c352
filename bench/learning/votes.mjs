// The votes that train and the pairs that judge: read from files, and drawn for a seed.

import { eventModel } from '../../dist/cli/event-model.js'
import { FILE_DEFAULTS } from '../../dist/cli/learner-config.js'
import { loadConfig } from '../../dist/config/config.js'
import { readPairs } from '../../dist/events/pairs.js'
import { seededRandom } from '../../dist/model/random.js'
import { fileEvents } from '../../dist/replay/events.js'
import { tokenisePairs } from '../../dist/text/tokenise-pairs.js'

/** Nothing is shortened: what is too long for `maxLength` is left out. */
const READ_LENGTH = 2 ** 16

/**
 * Votes as `bcod replay` reads them, pairs as `bcod eval` does, as token ids.
 *
 * @param maxLength  of a vote, in tokens
 * @param maxPairLength  of an answer of a pair with its prompt
 * @returns `votes`; `pairs`, without those whose prompt is that of a vote; `left_out`, how many of each are not in them
 */
export async function readVotes({ model, votes: votesPath, pairs: pairsPath, maxLength, maxPairLength }) {
  const set = [`model.path=${JSON.stringify(model)}`, `limits.maxLength=${READ_LENGTH}`]
  const config = loadConfig({ env: {}, defaults: FILE_DEFAULTS, set })
  const reading = await eventModel(config)
  try {
    const allVotes = await collect(fileEvents({ path: votesPath, config, ...reading }))
    const options = { path: pairsPath, ...reading, whole: true }
    const allPairs = await collect(tokenisePairs(readPairs(pairsPath, reading), options))
    const votes = allVotes.filter((vote) => tokensOf(vote) <= maxLength)
    const prompts = new Set(allVotes.map(({ promptTokens }) => promptTokens.join()))
    const pairs = allPairs.filter(
      (pair) =>
        pair !== null &&
        Math.max(tokensOf(pair.chosen), tokensOf(pair.rejected)) <= maxPairLength &&
        !prompts.has(pair.chosen.promptTokens.join()),
    )
    const left_out = { votes: allVotes.length - votes.length, pairs: allPairs.length - pairs.length }
    return { votes, pairs, left_out }
  } finally {
    await reading.text?.close?.()
  }
}

async function collect(iterable) {
  const values = []
  for await (const value of iterable) values.push(value)
  return values
}

export const tokensOf = ({ promptTokens, completionTokens }) => promptTokens.length + completionTokens.length

/**
 * The votes of a seed, in its order: `count` of them, at random.
 *
 * @param ups  share of thumbs-up among them; null: as it comes
 * @param together  votes on one prompt come close to each other, as in one product: up to some dozen others between
 */
export function drawVotes(votes, seed, { count, ups = null, together = false }) {
  const shuffled = shuffle(votes, seededRandom(seed, 'votes'))
  const chosen = ups === null ? shuffled.slice(0, count) : withShare(shuffled, seed, { count, ups })
  if (chosen.length < count) throw new Error(`${chosen.length} of ${count} votes: there are no more`)
  return together ? promptsTogether(chosen, seededRandom(seed, 'together')) : chosen
}

function withShare(shuffled, seed, { count, ups }) {
  const wanted = { true: Math.round(count * ups), false: count - Math.round(count * ups) }
  const chosen = shuffled.filter(({ label }) => wanted[label]-- > 0)
  return shuffle(chosen, seededRandom(seed, 'mixed')) // what comes last would be of one class
}

/** How far, in votes, votes on one prompt may be apart. */
const NEAR = 24

function promptsTogether(votes, random) {
  const places = new Map()
  const placeOf = (vote) => {
    const prompt = vote.promptTokens.join()
    if (!places.has(prompt)) places.set(prompt, random() * votes.length)
    return places.get(prompt) + random() * NEAR
  }
  return votes
    .map((vote) => ({ vote, place: placeOf(vote) }))
    .sort((a, b) => a.place - b.place)
    .map(({ vote }) => vote)
}

/** Fisher and Yates. */
function shuffle(values, random) {
  const out = [...values]
  for (let i = out.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1))
    ;[out[i], out[j]] = [out[j], out[i]]
  }
  return out
}
