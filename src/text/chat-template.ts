import { join } from 'node:path'
import { Environment, Interpreter, Template } from '@huggingface/jinja'
import { BcodError } from '../errors.js'
import type { JsonObject } from '../events/json.js'
import { filesIn, type JsonFile, readJsonFile, readTextFile } from './files.js'
import { installJinjaPatches } from './jinja/install.js'
import { strip } from './jinja/python-strings.js'
import { strftime } from './strftime.js'

// no template is rendered but through this file
installJinjaPatches()

/** What a template writes: plain data, as JSON holds it. */
export interface Conversation {
  readonly messages: readonly JsonObject[]
  readonly tools: readonly JsonObject[] | null
  /** Further variables of the template, such as `enable_thinking`. */
  readonly templateArguments: JsonObject
}

/** What comes after the last message. */
export type Ending = 'generation-prompt' | 'none' | 'continue'

const CONTINUE_MARK = 'CONTINUE_FINAL_MESSAGE_TAG'

/** The model's own way to write a conversation as one text. */
export class ChatTemplate {
  readonly #template: Template

  /**
   * @param specialTokens  `bos_token`, `eos_token`, … as the template may use them
   * @throws CHAT_TEMPLATE_FAILED where the source is not a template
   */
  constructor(
    readonly source: string,
    readonly specialTokens: Readonly<Record<string, string>>,
    place: string,
  ) {
    try {
      this.#template = new Template(source)
    } catch (error) {
      throw new BcodError('CHAT_TEMPLATE_FAILED', 'the template cannot be parsed', { place, cause: error })
    }
  }

  /**
   * @param end  what comes after the last message: the beginning of the assistant's next turn, nothing, or not even the
   *   end of the turn, so that the last message goes on
   * @param now  what the template takes for the present, milliseconds since the epoch; always UTC
   * @throws CHAT_TEMPLATE_FAILED; the message holds what the template says only if it says it word for word
   */
  render(conversation: Conversation, end: Ending, now: number): string {
    if (end === 'continue') return this.#renderContinued(conversation, now)
    const { messages, tools, templateArguments } = conversation
    const environment = new Environment()
    const variables = {
      ...GLOBALS,
      strftime_now: (format: string) => strftime(new Date(now), format),
      ...this.specialTokens,
      documents: null,
      ...templateArguments,
      messages,
      add_generation_prompt: end === 'generation-prompt',
      tools,
    }
    try {
      for (const [name, value] of Object.entries(variables)) environment.set(name, value)
      return String(new Interpreter(environment).run(this.#template.parsed).value)
    } catch (error) {
      throw new BcodError('CHAT_TEMPLATE_FAILED', this.#refusal(error))
    }
  }

  /** As transformers' `continue_final_message`: a mark behind the last content tells where to cut. */
  #renderContinued(conversation: Conversation, now: number): string {
    const { messages } = conversation
    const last = messages.at(-1)
    const content = last?.content
    if (typeof content !== 'string') {
      throw new BcodError('CHAT_TEMPLATE_FAILED', 'the last message of the prompt has no text to go on from')
    }
    const marked = [...messages.slice(0, -1), { ...last, content: `${content}${CONTINUE_MARK} ` }]
    const rendered = this.render({ ...conversation, messages: marked }, 'none', now)
    const cut = rendered.lastIndexOf(CONTINUE_MARK)
    if (cut === -1 || !rendered.includes(strip(content, 'both'))) {
      throw new BcodError('CHAT_TEMPLATE_FAILED', 'the template does not write the last message, so it cannot go on', {
        remedy: 'Publish the prompt as one text or as token ids.',
      })
    }
    const keepsSpace = rendered[cut + CONTINUE_MARK.length] === ' '
    return keepsSpace ? rendered.slice(0, cut) : strip(rendered.slice(0, cut), 'right')
  }

  /** Other errors may quote the messages, so they are not shown. */
  #refusal(error: unknown): string {
    const literal = error instanceof TemplateRefusal && this.source.includes(error.message)
    return literal ? `the template refused the messages: ${error.message}` : 'the template failed on the messages'
  }
}

/**
 * The chat template of a model directory: `chat_template.jinja`, else `chat_template` in `chat_template.json` or
 * `tokenizer_config.json`, a text or a list of named ones; `additional_chat_templates/` holds further named ones.
 * Null if there is none.
 *
 * @param names  the first that there is is taken; one without a name is `default`, and so is the only one
 * @throws CHAT_TEMPLATE_FAILED if it cannot be parsed
 */
export function readChatTemplate(
  modelDir: string,
  tokenizerConfig: JsonFile,
  specialTokens: Readonly<Record<string, string>>,
  names: readonly string[] = ['default'],
): ChatTemplate | null {
  const sources = templateSources(modelDir, tokenizerConfig)
  const [only] = sources.size === 1 && names.includes('default') ? sources.values() : []
  const chosen = names.map((name) => sources.get(name)).find((source) => source !== undefined) ?? only
  return chosen === undefined ? null : new ChatTemplate(chosen.source, specialTokens, chosen.place)
}

/** The names of a model directory's chat templates. */
export const templateNames = (modelDir: string, tokenizerConfig: JsonFile): readonly string[] => [
  ...templateSources(modelDir, tokenizerConfig).keys(),
]

interface TemplateSource {
  readonly source: string
  readonly place: string
}

function templateSources(modelDir: string, tokenizerConfig: JsonFile): ReadonlyMap<string, TemplateSource> {
  const candidates: [string, unknown][] = [
    ['chat_template.jinja', readTextFile(modelDir, 'chat_template.jinja')],
    ['chat_template.json', readJsonFile(modelDir, 'chat_template.json')?.chat_template],
    ['tokenizer_config.json', tokenizerConfig.chat_template],
  ]
  const found = new Map<string, TemplateSource>()
  for (const [file, value] of candidates) {
    for (const [name, source] of named(value)) found.set(name, { source, place: join(modelDir, file) })
    if (found.size > 0) break
  }
  for (const file of filesIn(modelDir, ADDITIONAL).filter((name) => name.endsWith('.jinja'))) {
    const path = join(ADDITIONAL, file)
    const source = readTextFile(modelDir, path)
    if (source !== null) found.set(file.slice(0, -'.jinja'.length), { source, place: join(modelDir, path) })
  }
  return found
}

const ADDITIONAL = 'additional_chat_templates'

function named(value: unknown): readonly (readonly [string, string])[] {
  if (typeof value === 'string') return [['default', value]]
  if (!Array.isArray(value)) return []
  const list: readonly ({ readonly name?: unknown; readonly template?: unknown } | null)[] = value
  return list.flatMap((each) =>
    typeof each?.name === 'string' && typeof each.template === 'string' ? [[each.name, each.template] as const] : [],
  )
}

class TemplateRefusal extends Error {}

const GLOBALS = {
  true: true,
  True: true,
  false: false,
  False: false,
  none: null,
  None: null,
  range,
  raise_exception(message: unknown): never {
    throw new TemplateRefusal(String(message))
  },
}

/** Python's range. */
function range(from: number, to?: number, step = 1): number[] {
  const [start, stop] = to === undefined ? [0, from] : [from, to]
  return Array.from({ length: Math.max(0, Math.ceil((stop - start) / step)) }, (_, i) => start + i * step)
}
