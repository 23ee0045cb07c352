import { BcodError } from '../errors.js'
import { outsideVocabulary } from '../events/content.js'
import { errorAtLine, type OnInvalid } from '../events/jsonl.js'
import type { Pair } from '../events/pairs.js'
import type { Content, TrainingEvent } from '../events/types.js'
import { fitToLength } from './fit.js'
import type { TextService } from './text-process.js'

/** Token ids of one prompt and one completion. */
export type TokenPair = Pick<TrainingEvent, 'promptTokens' | 'completionTokens'>

export interface TokenisedPair {
  /** Line in the file, from 1. */
  readonly line: number
  readonly chosen: TokenPair
  readonly rejected: TokenPair
}

export interface PairOptions {
  /** The file, for errors. */
  readonly path: string
  readonly text: TextService | null
  readonly maxLength: number
  readonly vocabSize: number
  /** A prompt that is too long is never shortened: its pair is left out as well. @default false */
  readonly whole?: boolean
  /** Called with each pair that cannot be used, which is then passed over. @default the first one is an error */
  readonly onInvalid?: OnInvalid
}

/**
 * Token ids of pairs; exact ids are used as they are. null for a pair of which one answer alone is too long, or, with
 * `whole`, one answer with its prompt.
 *
 * @throws TEXT_WITHOUT_TOKENIZER, CHAT_TEMPLATE_MISSING, CHAT_TEMPLATE_FAILED, TOKENIZE_FAILED, PAIRS_INVALID with
 *   `file:line`, unless `onInvalid` takes them
 */
export async function* tokenisePairs(
  pairs: AsyncIterable<Pair>,
  options: PairOptions,
): AsyncGenerator<TokenisedPair | null> {
  for await (const pair of pairs) {
    const tokenised = await tokenisePair(pair, options)
    if (tokenised !== undefined) yield tokenised
  }
}

/** One of them; undefined if `onInvalid` has taken it. @throws as `tokenisePairs` */
export async function tokenisePair(pair: Pair, options: PairOptions): Promise<TokenisedPair | null | undefined> {
  const { line, prompt } = pair
  const { path, onInvalid } = options
  try {
    const chosen = await tokenPair(prompt, pair.chosen, 'chosen', options)
    const rejected = await tokenPair(prompt, pair.rejected, 'rejected', options)
    return chosen === null || rejected === null ? null : { line, chosen, rejected }
  } catch (error) {
    if (!(error instanceof BcodError)) throw error
    if (onInvalid === undefined) throw errorAtLine(path, line, error)
    onInvalid(line, error)
    return undefined
  }
}

async function tokenPair(
  prompt: Content,
  answer: Content,
  side: string,
  options: PairOptions,
): Promise<TokenPair | null> {
  const { text, maxLength, vocabSize, whole = false } = options
  // text is cut before it is tokenised: what is longer by one is too long, and known to be
  const limit = whole ? maxLength + 1 : maxLength
  const promptTokens = prompt.kind === 'tokens' ? prompt.tokens : await withTokenizer(text).encodePrompt(prompt, limit)
  const completionTokens =
    answer.kind === 'tokens' ? answer.tokens : await withTokenizer(text).encodeCompletion(prompt, answer, limit)
  for (const [place, ids] of [
    ['prompt', promptTokens],
    [side, completionTokens],
  ] as const) {
    if (ids.length === 0) throw new BcodError('PAIRS_INVALID', 'expected at least one token, got none', { place })
    const outside = ids.find((id) => id >= vocabSize)
    if (outside !== undefined) throw new BcodError('TOKENIZE_FAILED', outsideVocabulary(vocabSize), { place })
  }
  if (whole && promptTokens.length + completionTokens.length > maxLength) return null
  return fitToLength(promptTokens, completionTokens, maxLength, text?.description.bos ?? null)
}

function withTokenizer(text: TextService | null): TextService {
  if (text) return text
  throw new BcodError('TEXT_WITHOUT_TOKENIZER', 'text, but the model has no tokenizer')
}
