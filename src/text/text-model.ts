import { join } from 'node:path'
import { Tokenizer } from '@huggingface/tokenizers'
import { BcodError } from '../errors.js'
import type { JsonObject } from '../events/json.js'
import type { Content } from '../events/types.js'
import { type AddedToken, type DeclaredTokens, readDeclaredTokens, withDeclaredTokens } from './added-tokens.js'
import './byte-level.js'
import { type ChatTemplate, readChatTemplate, templateNames } from './chat-template.js'
import { ControlTokens, type SpecialTokenPolicy } from './control-tokens.js'
import type { Messages } from './conversation.js'
import { type JsonFile, readJsonFile } from './files.js'
import { withoutMarks } from './marks.js'
import { readSpecialTokens, type SpecialTokens } from './special-tokens.js'
import { TemplateWriter } from './template-writer.js'
import { TokenEncoder } from './token-encoder.js'
import { TokenFinder } from './token-finder.js'
import { learnTurnEnd, type TurnEnd, writtenAroundTurns } from './turn-end.js'
import { usableEnd, usableStart } from './usable.js'

type Tokens = readonly number[]
type Text = Exclude<Content, { readonly kind: 'tokens' }>

/** How the text of votes is rendered and tokenised, beside what the model's own files say. */
export interface TextOptions {
  /** What becomes of control tokens in messages and in completions. @default 'allow' */
  readonly specialTokens?: SpecialTokenPolicy
  /** Variables of the chat template that a vote does not set, such as `enable_thinking`. @default none */
  readonly templateArguments?: JsonObject
  /** Which of several named templates. @default `default`, and `tool_use` for votes with tools */
  readonly templateName?: string | null
}

/** What of a model's files the text of votes is made into tokens with. */
interface TextFiles {
  readonly tokenizer: Tokenizer
  readonly special: SpecialTokens
  readonly template: ChatTemplate | null
  readonly toolTemplate: ChatTemplate | null
  /** Of the templates in the files. */
  readonly templateNames: readonly string[]
  readonly cleanUpSpaces: boolean
}

/** Characters of a text that tell its first token. */
const HEAD = 256
/** The date that templates get where only what does not depend on it is asked. */
const ANY_DATE = Date.UTC(2024, 6, 26)

/**
 * Turns prompts and completions into the model's token ids and back, without special tokens beyond those that stand in
 * the text. A completion has the tokens that prompt and completion as one text have beyond the prompt's; exact ids are
 * used as they are.
 */
export class TextModel {
  readonly special: SpecialTokens
  /** Null if the model has none: messages are then an error. */
  readonly template: ChatTemplate | null
  /** The names of the model's templates, whichever is taken. */
  readonly templateNames: readonly string[]
  readonly #files: TextFiles
  readonly #options: TextOptions
  readonly #encoder: TokenEncoder
  #learnt: Learnt | null = null
  /** One vote's prompt is asked for again with its completion. */
  #last: { readonly prompt: Messages | null; readonly now: number; readonly text: string } = {
    prompt: null,
    now: 0,
    text: '',
  }

  constructor(files: TextFiles, options: TextOptions = {}) {
    this.#files = files
    this.#options = options
    this.special = files.special
    this.template = files.template
    this.templateNames = files.templateNames
    this.#encoder = new TokenEncoder(files.tokenizer, (id) => this.#known.control.ids.has(id))
  }

  /** Ids that end an answer: those that the model's files name and the one that the template ends a turn with. */
  get endIds(): ReadonlySet<number> {
    return this.#known.endIds
  }

  /** Without one, messages are an error. */
  get hasTemplate(): boolean {
    return this.template !== null
  }

  /**
   * Messages through the chat template, with the generation prompt or up to where the assistant's last message ends; a
   * text literally.
   *
   * @param now  the date that templates print, milliseconds since the epoch
   * @param limit  the tokens at its right end that can be used: of a longer text those and some more come out, behind
   *   the BOS that it begins with
   * @throws CHAT_TEMPLATE_MISSING, CHAT_TEMPLATE_FAILED, MESSAGE_NOT_RENDERED, CONTROL_TOKEN_IN_TEXT, TOKENIZE_FAILED
   */
  encodePrompt(prompt: Content, now = Date.now(), limit = Number.POSITIVE_INFINITY): Tokens {
    if (prompt.kind === 'tokens') return prompt.tokens
    return this.#encoder.encode(this.#usableEnd(this.renderPrompt(prompt, now), limit))
  }

  /**
   * A text literally, messages as what the template adds after the prompt. Behind it comes what the template ends an
   * assistant's turn with, or, where the prompt is a text, the tokenizer's end token, unless it is there.
   *
   * @param limit  the tokens that a usable completion has at most: of a longer one so many and some more come out
   * @param ended  whether the model itself ended its answer: one that was cut off gets no end
   * @throws as `encodePrompt`
   */
  encodeCompletion(
    prompt: Content,
    completion: Content,
    now = Date.now(),
    limit = Number.POSITIVE_INFINITY,
    ended = true,
  ): Tokens {
    if (completion.kind === 'tokens') return completion.tokens
    const before = prompt.kind === 'tokens' ? null : this.#endOfPrompt(prompt, now)
    const turnEnd = this.#isConversation(prompt) ? this.#known.turnEnd : null
    const answer = this.#answer(prompt, completion, now, turnEnd, ended)
    const text = usableStart(this.#known.control.settle(answer, before ?? ''), limit, this.#count)
    const ids = before === null ? this.#encoder.encodeContinued(text) : this.#encoder.encodeAfter(before, text)
    const { eos } = this.special
    const last = ids.at(-1)
    return !ended || eos === null || (last !== undefined && this.#known.endIds.has(last)) ? ids : [...ids, eos]
  }

  /** The text of a prompt that is not given as ids, as it gets tokenised. */
  renderPrompt(prompt: Text, now: number): string {
    return prompt.kind === 'text'
      ? withoutMarks(prompt.text)
      : this.#known.control.settle(this.#renderMessages(prompt, now))
  }

  /** The text of a completion that is not given as ids, as it gets tokenised, without an end that is appended. */
  renderCompletion(prompt: Content, completion: Text, now: number): string {
    const turnEnd = completion.kind === 'messages' ? this.#known.turnEnd : null
    return this.#known.control.settle(this.#answer(prompt, completion, now, turnEnd, true))
  }

  /** Special tokens are written out unless they are to be skipped. */
  decode(ids: Tokens, options: { readonly skipSpecialTokens?: boolean } = {}): string {
    if (ids.length === 0) return ''
    return this.#files.tokenizer.decode([...ids], {
      skip_special_tokens: options.skipSpecialTokens ?? false,
      clean_up_tokenization_spaces: this.#files.cleanUpSpaces,
    })
  }

  /** As much of the prompt as tells how a text behind it is tokenised. */
  #endOfPrompt(prompt: Text, now: number): string {
    return usableEnd(this.#encoder.lastPart(this.renderPrompt(prompt, now)), 0, this.#count)
  }

  /** The answer with its end, marked. */
  #answer(prompt: Content, completion: Text, now: number, turnEnd: TurnEnd | null, ended: boolean): string {
    const end = turnEnd !== null && ended ? turnEnd.text : ''
    if (completion.kind === 'text') {
      const { body, end: itsOwn } = this.#answerText(completion.text)
      return body + (itsOwn || end)
    }
    if (prompt.kind !== 'messages') {
      throw new BcodError('CHAT_TEMPLATE_FAILED', 'messages can only continue a prompt that is given as messages')
    }
    const added = this.#added(prompt, completion, now)
    if (turnEnd !== null && added.endsWith(turnEnd.written)) {
      return added.slice(0, added.length - turnEnd.written.length) + end
    }
    const last = this.#lastEnd(added)
    return last === null ? added : added.slice(0, ended ? last.end : last.start)
  }

  /** A completion given as text, guarded, and the one end that it may have itself. @throws CONTROL_TOKEN_IN_TEXT */
  #answerText(text: string): { readonly body: string; readonly end: string } {
    const written = this.#known.turnEnd?.closes ? this.#known.turnEnd : null
    const trimmed =
      written !== null && text.endsWith(written.written)
        ? text.slice(0, text.length - written.written.length) + written.text
        : text
    const end = this.#known.endTexts.find((end) => trimmed.endsWith(end)) ?? ''
    const body = trimmed.slice(0, trimmed.length - end.length)
    return { body: this.#known.control.guard(body, 'data.completion', true), end }
  }

  /** What the template adds to the prompt for the answer. */
  #added(prompt: Messages, answer: Messages, now: number): string {
    const before = this.#renderMessages(prompt, now)
    const whole = this.#requiredWriter().exchange(prompt, answer.messages, now)
    if (whole.startsWith(before)) return whole.slice(before.length)
    throw new BcodError('CHAT_TEMPLATE_FAILED', 'the template writes the prompt otherwise once a completion follows', {
      remedy: 'Publish the completion as one text or as token ids.',
    })
  }

  #renderMessages(prompt: Messages, now: number): string {
    if (this.#last.prompt !== prompt || this.#last.now !== now) {
      this.#last = { prompt, now, text: this.#requiredWriter().prompt(prompt, now) }
    }
    return this.#last.text
  }

  /** Where the last end token in the text starts and ends. */
  #lastEnd(text: string): { readonly start: number; readonly end: number } | null {
    const places = this.#known.endTexts
      .map((token) => ({ start: text.lastIndexOf(token), end: text.lastIndexOf(token) + token.length }))
      .filter(({ start }) => start !== -1)
    return places.reduce<(typeof places)[0] | null>(
      (last, place) => (last && last.end > place.end ? last : place),
      null,
    )
  }

  /** Messages are one, and so are ids in which turns end as the template ends them. */
  #isConversation(prompt: Content): boolean {
    if (prompt.kind === 'tokens') return this.#known.turnEndId !== null && prompt.tokens.includes(this.#known.turnEndId)
    return prompt.kind === 'messages'
  }

  /** The template is not run before a vote asks for it: one that never ends is then ended with the vote. */
  get #known(): Learnt {
    this.#learnt ??= learn(this.#files, this.#options, this.#encoder)
    return this.#learnt
  }

  #requiredWriter(): TemplateWriter {
    if (this.#known.writer) return this.#known.writer
    const { templateNames } = this
    if (templateNames.length === 0) {
      throw new BcodError('CHAT_TEMPLATE_MISSING', 'messages, but the model has no chat template')
    }
    throw new BcodError(
      'CHAT_TEMPLATE_MISSING',
      `none of the model's chat templates (${templateNames.join(', ')}) is the default`,
      {
        remedy: 'Name one of them in model.chatTemplate.',
      },
    )
  }

  readonly #count = (text: string): number => this.#encoder.encode(text).length

  /** A text is cut before it is tokenised. Its beginning tells whether it starts with the BOS. */
  #usableEnd(text: string, limit: number): string {
    const end = usableEnd(text, limit, this.#count)
    const { bos } = this.special
    if (end.length === text.length || bos === null || this.#encoder.encode(text.slice(0, HEAD))[0] !== bos) return end
    return (this.#files.tokenizer.id_to_token(bos) ?? '') + end
  }
}

/** What rendering probes tells of a model. */
interface Learnt {
  readonly control: ControlTokens
  readonly writer: TemplateWriter | null
  readonly turnEnd: TurnEnd | null
  readonly turnEndId: number | null
  readonly endIds: ReadonlySet<number>
  readonly endTexts: readonly string[]
}

function learn(files: TextFiles, options: TextOptions, encoder: TokenEncoder): Learnt {
  const { tokenizer, special, template, toolTemplate } = files
  const { specialTokens = 'allow', templateArguments = {} } = options
  const added: readonly AddedToken[] = [...tokenizer.get_added_tokens_decoder().values()]
  const finder = new TokenFinder(added.map(({ content }) => content))
  const turnEnd = template && learnTurnEnd(template, templateArguments, finder, ANY_DATE)
  const around = template === null ? '' : writtenAroundTurns(template, templateArguments, ANY_DATE)
  const written = [template?.source, toolTemplate?.source, around].join('\n')
  const isControl = ({ special, content }: AddedToken) =>
    special || (content.trim() !== '' && written.includes(content))
  const { normalizer } = tokenizer
  const control = new ControlTokens(added.filter(isControl), specialTokens, normalizer && ((text) => normalizer(text)))
  const turnEndId = turnEnd?.closes ? (encoder.encodeContinued(turnEnd.text).at(-1) ?? null) : null
  const endIds = new Set([...special.endIds, ...(turnEndId === null ? [] : [turnEndId])])
  return {
    control,
    writer: template && new TemplateWriter(template, toolTemplate, control, templateArguments),
    turnEnd,
    turnEndId,
    endIds,
    endTexts: [...endIds].flatMap((id) => tokenizer.id_to_token(id) ?? []),
  }
}

/**
 * Loads tokenizer, special tokens and chat template of a Hugging Face directory; null if it has no `tokenizer.json`.
 *
 * @throws TOKENIZER_INVALID, CHAT_TEMPLATE_FAILED, CHAT_TEMPLATE_MISSING if there is none of the name that is asked for
 */
export function loadTextModel(modelDir: string, options: TextOptions = {}): TextModel | null {
  const tokenizerFile = readJsonFile(modelDir, 'tokenizer.json')
  if (tokenizerFile === null) return null
  const config = readJsonFile(modelDir, 'tokenizer_config.json') ?? {}
  const declared = readDeclaredTokens(modelDir, config)
  const tokenizer = createTokenizer(tokenizerFile, declared, config, join(modelDir, 'tokenizer.json'))
  const special = readSpecialTokens(modelDir, declared, (token) => tokenizer.token_to_id(token))
  const named = options.templateName ?? null
  const read = (names: readonly string[]) => readChatTemplate(modelDir, config, special.texts, names)
  const template = read([named ?? 'default'])
  if (named !== null && template === null) {
    throw new BcodError('CHAT_TEMPLATE_MISSING', 'the model has no template of the name in model.chatTemplate', {
      place: modelDir,
    })
  }
  return new TextModel(
    {
      tokenizer,
      special,
      template,
      toolTemplate: named === null ? read(['tool_use']) : null,
      templateNames: templateNames(modelDir, config),
      cleanUpSpaces: config.clean_up_tokenization_spaces === true,
    },
    options,
  )
}

function createTokenizer(file: JsonFile, declared: DeclaredTokens, config: JsonFile, place: string): Tokenizer {
  try {
    return new Tokenizer(withDeclaredTokens(file, declared), config)
  } catch (error) {
    throw new BcodError('TOKENIZER_INVALID', 'not a tokenizer that is supported', { place, cause: error })
  }
}
