/// <reference lib="es2024.string" />
import { join } from 'node:path'
import { Tokenizer } from '@huggingface/tokenizers'
import { BcodError } from '../../errors.js'
import type { Content, Message } from '../../events/types.js'
import { type ChatTemplate, readChatTemplate } from './chat-template.js'
import { conversation } from './conversation.js'
import { readJsonFile } from './files.js'
import { readSpecialTokens, type SpecialTokens } from './special-tokens.js'
import { usableEnd, usableStart } from './usable.js'

type Tokens = readonly number[]
type Messages = Extract<Content, { readonly kind: 'messages' }>

/** Characters of a text that tell its first token. */
const HEAD = 256

/**
 * Turns prompts and completions into the model's token ids and back. Prompt and completion are tokenised apart, without
 * special tokens beyond those that stand in the text; exact ids are used as they are.
 */
export class TextModel {
  readonly #endTexts: readonly string[]
  /** What was counted to find out where to cut is asked for again. */
  #last: { readonly text: string; readonly ids: Tokens } = { text: '', ids: [] }

  constructor(
    private readonly tokenizer: Tokenizer,
    readonly special: SpecialTokens,
    /** Null where the model has none: messages are then an error. */
    readonly template: ChatTemplate | null,
    private readonly cleanUpSpaces: boolean,
  ) {
    this.#endTexts = [...special.endIds].flatMap((id) => tokenizer.id_to_token(id) ?? [])
  }

  /** Without one, messages are an error. */
  get hasTemplate(): boolean {
    return this.template !== null
  }

  /**
   * Messages through the chat template with the generation prompt, a text literally.
   *
   * @param now  the date that templates print, milliseconds since the epoch
   * @param limit  the tokens at its right end that can be used: of a longer text those and some more come out, behind
   *   the BOS that it begins with
   * @throws CHAT_TEMPLATE_MISSING, CHAT_TEMPLATE_FAILED, TOKENIZE_FAILED
   */
  encodePrompt(prompt: Content, now = Date.now(), limit = Number.POSITIVE_INFINITY): Tokens {
    if (prompt.kind === 'tokens') return prompt.tokens
    return this.#encode(this.#usableEnd(this.renderPrompt(prompt, now), limit))
  }

  /**
   * A text literally, messages as what the template adds after the prompt up to its final end token; the end token is
   * appended unless it is there.
   *
   * @param limit  the tokens that a usable completion has at most: of a longer one so many and some more come out
   * @throws CHAT_TEMPLATE_MISSING, CHAT_TEMPLATE_FAILED, TOKENIZE_FAILED
   */
  encodeCompletion(prompt: Content, completion: Content, now = Date.now(), limit = Number.POSITIVE_INFINITY): Tokens {
    if (completion.kind === 'tokens') return completion.tokens
    const rendered = this.renderCompletion(prompt, completion, now)
    const ids = this.#encode(usableStart(rendered, limit, this.#count))
    const { eos, endIds } = this.special
    const last = ids.at(-1)
    return eos === null || (last !== undefined && endIds.has(last)) ? ids : [...ids, eos]
  }

  /** The text of a prompt that is not given as ids, as it gets tokenised. */
  renderPrompt(prompt: Exclude<Content, { kind: 'tokens' }>, now: number): string {
    return prompt.kind === 'text'
      ? prompt.text
      : this.#requiredTemplate().render(conversation(prompt), 'generation-prompt', now)
  }

  /** The text of a completion that is not given as ids, as it gets tokenised. */
  renderCompletion(prompt: Content, completion: Exclude<Content, { kind: 'tokens' }>, now: number): string {
    if (completion.kind === 'text') return completion.text
    if (prompt.kind !== 'messages') {
      throw new BcodError('CHAT_TEMPLATE_FAILED', 'messages can only continue a prompt that is given as messages')
    }
    return this.#continuation(prompt, completion.messages, now)
  }

  /** Special tokens are written out unless they are to be skipped. */
  decode(ids: Tokens, options: { readonly skipSpecialTokens?: boolean } = {}): string {
    if (ids.length === 0) return ''
    return this.tokenizer.decode([...ids], {
      skip_special_tokens: options.skipSpecialTokens ?? false,
      clean_up_tokenization_spaces: this.cleanUpSpaces,
    })
  }

  #continuation(prompt: Messages, completion: readonly Message[], now: number): string {
    const template = this.#requiredTemplate()
    const before = template.render(conversation(prompt), 'generation-prompt', now)
    const whole = template.render(conversation(prompt, completion), 'none', now)
    if (!whole.startsWith(before)) {
      throw new BcodError(
        'CHAT_TEMPLATE_FAILED',
        'the template writes the prompt otherwise once a completion follows',
        {
          remedy: 'Publish the completion as one text or as token ids.',
        },
      )
    }
    const added = whole.slice(before.length)
    const end = Math.max(...this.#endTexts.map((text) => endOfLast(added, text)), 0)
    return end === 0 ? added : added.slice(0, end)
  }

  #requiredTemplate(): ChatTemplate {
    if (!this.template) throw new BcodError('CHAT_TEMPLATE_MISSING', 'messages, but the model has no chat template')
    return this.template
  }

  readonly #count = (text: string): number => this.#encode(text).length

  /** A text is cut before it is tokenised. Its beginning tells whether it starts with the BOS. */
  #usableEnd(text: string, limit: number): string {
    const end = usableEnd(text, limit, this.#count)
    const { bos } = this.special
    if (end.length === text.length || bos === null || this.#encode(text.slice(0, HEAD))[0] !== bos) return end
    return (this.tokenizer.id_to_token(bos) ?? '') + end
  }

  /** Lone surrogates become U+FFFD, as they do wherever text is written as UTF-8: in checkpoints, for one. */
  #encode(text: string): Tokens {
    if (text !== this.#last.text) this.#last = { text, ids: this.#encodeAnew(text) }
    return this.#last.ids
  }

  #encodeAnew(text: string): Tokens {
    let ids: readonly (number | undefined)[]
    try {
      ids = this.tokenizer.encode(text.toWellFormed(), { add_special_tokens: false }).ids
    } catch (error) {
      const kind = error instanceof Error ? error.constructor.name : typeof error
      throw new BcodError('TOKENIZE_FAILED', `the tokenizer failed on a text of ${text.length} characters (${kind})`)
    }
    if (!ids.every((id): id is number => Number.isInteger(id))) {
      throw new BcodError('TOKENIZE_FAILED', 'the tokenizer has no id for a part of the text')
    }
    return ids
  }
}

/**
 * Loads tokenizer, special tokens and chat template of a Hugging Face directory; null where it has no `tokenizer.json`.
 *
 * @throws TOKENIZER_INVALID, CHAT_TEMPLATE_FAILED
 */
export function loadTextModel(modelDir: string): TextModel | null {
  const tokenizerFile = readJsonFile(modelDir, 'tokenizer.json')
  if (tokenizerFile === null) return null
  const config = readJsonFile(modelDir, 'tokenizer_config.json') ?? {}
  const tokenizer = createTokenizer(tokenizerFile, config, join(modelDir, 'tokenizer.json'))
  const special = readSpecialTokens(modelDir, config, (token) => tokenizer.token_to_id(token))
  const template = readChatTemplate(modelDir, config, special.texts)
  return new TextModel(tokenizer, special, template, config.clean_up_tokenization_spaces === true)
}

function createTokenizer(file: object, config: object, place: string): Tokenizer {
  try {
    return new Tokenizer(file, config)
  } catch (error) {
    throw new BcodError('TOKENIZER_INVALID', 'not a tokenizer that is supported', { place, cause: error })
  }
}

function endOfLast(text: string, part: string): number {
  const start = text.lastIndexOf(part)
  return start === -1 ? 0 : start + part.length
}
