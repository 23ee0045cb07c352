import { BcodError } from '../../errors.js'
import { outsideVocabulary } from '../../events/content.js'
import { errorAtLine } from '../../events/jsonl.js'
import type { Pair } from '../../events/pairs.js'
import type { Content } from '../../events/types.js'
import type { TokenPair } from '../../learner/packed-batch.js'
import { fitToLength } from '../../text/fit.js'
import type { TextService } from '../../text/text-process.js'

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
}

/**
 * Token ids of pairs; exact ids are used as they are. null for a pair of which one answer alone is too long.
 *
 * @throws TEXT_WITHOUT_TOKENIZER, CHAT_TEMPLATE_MISSING, CHAT_TEMPLATE_FAILED, TOKENIZE_FAILED, PAIRS_INVALID
 */
export async function* tokenisePairs(
  pairs: AsyncIterable<Pair>,
  options: PairOptions,
): AsyncGenerator<TokenisedPair | null> {
  for await (const pair of pairs) {
    yield await tokenisePair(pair, options).catch((error: unknown) => {
      throw error instanceof BcodError ? errorAtLine(options.path, pair.line, error) : error
    })
  }
}

async function tokenisePair(pair: Pair, options: PairOptions): Promise<TokenisedPair | null> {
  const chosen = await tokenPair(pair.prompt, pair.chosen, 'chosen', options)
  const rejected = await tokenPair(pair.prompt, pair.rejected, 'rejected', options)
  return chosen === null || rejected === null ? null : { line: pair.line, chosen, rejected }
}

async function tokenPair(
  prompt: Content,
  answer: Content,
  side: string,
  options: PairOptions,
): Promise<TokenPair | null> {
  const { text, maxLength, vocabSize } = options
  const promptTokens =
    prompt.kind === 'tokens' ? prompt.tokens : await withTokenizer(text).encodePrompt(prompt, maxLength)
  const completionTokens =
    answer.kind === 'tokens' ? answer.tokens : await withTokenizer(text).encodeCompletion(prompt, answer, maxLength)
  for (const [place, ids] of [
    ['prompt', promptTokens],
    [side, completionTokens],
  ] as const) {
    if (ids.length === 0) throw new BcodError('PAIRS_INVALID', 'expected at least one token, got none', { place })
    const outside = ids.find((id) => id >= vocabSize)
    if (outside !== undefined) throw new BcodError('TOKENIZE_FAILED', outsideVocabulary(vocabSize), { place })
  }
  return fitToLength(promptTokens, completionTokens, maxLength, text?.description.bos ?? null)
}

function withTokenizer(text: TextService | null): TextService {
  if (text) return text
  throw new BcodError('TEXT_WITHOUT_TOKENIZER', 'text, but the model has no tokenizer')
}
