import { createHash } from 'node:crypto'
import { isJsonObject, type JsonObject, jsonOrNull } from '../../events/json.js'

/** `/v1/chat/completions` or `/v1/completions`. */
export type Kind = 'chat' | 'text'

/** Why an answer cannot be voted on: a reason of its record, and a label of `bcod_gateway_unvotable_total`. */
export const UNVOTABLE = [
  /** Images, sound or files in the prompt: bcod trains on text. */
  'media',
  /** The server was told how to write the prompt: another template, documents, an answer to go on with. */
  'template',
  /** The text of the answer repeats the prompt (`echo`), or stands before a `suffix`. */
  'not_continuation',
  /** The model server ended the answer early. */
  'cut',
  /** The client left before its end. */
  'client_left',
  /** Prompt and answer are too long for the log. */
  'too_long',
  /** There is no text in it. */
  'empty',
  /** bcod could not read it as a vote: a role, a call or a nesting that it does not know. */
  'unreadable',
] as const
export type Unvotable = (typeof UNVOTABLE)[number]

export type Prompt =
  | { readonly kind: 'messages'; readonly messages: readonly JsonObject[] }
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'tokens'; readonly tokens: readonly number[] }

/** What the gateway has to know of a request. */
export interface CompletionRequest {
  readonly kind: Kind
  /** Null: the server's own choice. */
  readonly model: string | null
  readonly isStreamed: boolean
  readonly user: string | null
  /** A hash that stays the same through a conversation. */
  readonly conversation: string
  /** Choice k answers number ⌊k / n⌋. */
  readonly prompts: readonly Prompt[]
  /** Answers to each prompt. */
  readonly n: number
  readonly tools: readonly JsonObject[] | null
  readonly templateArguments: JsonObject | null
  /** Null: the prompt is no obstacle to votes. */
  readonly obstacle: Unvotable | null
  /** The client itself asks for token ids. */
  readonly wantsTokenIds: boolean
}

/** Null for what is no such request; the model server says what is wrong with it. */
export function readRequest(kind: Kind, body: Buffer): CompletionRequest | null {
  const value = jsonOrNull(body.toString('utf8'))
  if (!isJsonObject(value)) return null
  const prompts = readPrompts(kind, value)
  if (prompts === null) return null
  const { model, stream, user, n, tools, chat_template_kwargs: templateArguments } = value
  return {
    ...{ kind, prompts },
    model: typeof model === 'string' ? model : null,
    isStreamed: stream === true,
    user: typeof user === 'string' && user !== '' ? user : null,
    conversation: conversationOf(prompts),
    n: typeof n === 'number' && n > 1 ? n : 1,
    tools: Array.isArray(tools) && tools.length > 0 ? (tools as JsonObject[]) : null,
    templateArguments: isJsonObject(templateArguments) ? templateArguments : null,
    obstacle: obstacleOf(value, prompts),
    wantsTokenIds: value.return_token_ids === true,
  }
}

function readPrompts(kind: Kind, { messages, prompt }: JsonObject): readonly Prompt[] | null {
  if (kind === 'chat')
    return Array.isArray(messages) && messages.length > 0 && messages.every(isJsonObject)
      ? [{ kind: 'messages', messages }]
      : null
  const one = readPrompt(prompt)
  if (one !== null) return [one]
  if (!Array.isArray(prompt) || prompt.length === 0) return null
  const several = prompt.map(readPrompt)
  return several.includes(null) ? null : (several as Prompt[])
}

function readPrompt(value: unknown): Prompt | null {
  if (typeof value === 'string') return { kind: 'text', text: value }
  if (!Array.isArray(value) || value.length === 0) return null
  return value.every((id) => Number.isInteger(id)) ? { kind: 'tokens', tokens: value as number[] } : null
}

/** By what its first user says, with all that stands before: the turns that follow do not change it. */
function conversationOf([first]: readonly Prompt[]): string {
  const hash = createHash('sha256')
  if (first?.kind === 'messages') {
    const { messages } = first
    const opening = messages.findIndex(({ role }) => role === 'user')
    const until = opening < 0 ? messages.length : opening + 1
    hash.update(JSON.stringify(messages.slice(0, until).map(({ role, content }) => [role, content])))
  } else hash.update(JSON.stringify(first))
  return hash.digest('base64url')
}

/** vLLM's own fields that change how the server writes the prompt; what they do cannot be told from the vote. */
const TEMPLATE_FIELDS = ['chat_template', 'documents', 'continue_final_message', 'functions'] as const

function obstacleOf(value: JsonObject, prompts: readonly Prompt[]): Unvotable | null {
  if (prompts.some((prompt) => prompt.kind === 'messages' && prompt.messages.some(hasMedia))) return 'media'
  const { echo, suffix, add_generation_prompt: generation } = value
  if (echo === true || (typeof suffix === 'string' && suffix !== '')) return 'not_continuation'
  const isSet = (field: string) => value[field] !== undefined && value[field] !== null && value[field] !== false
  return generation === false || TEMPLATE_FIELDS.some(isSet) ? 'template' : null
}

const TEXT_PARTS: readonly unknown[] = ['text', 'input_text', 'output_text', 'refusal']

const hasMedia = ({ content, audio }: JsonObject): boolean =>
  isJsonObject(audio) ||
  (Array.isArray(content) && content.some((part) => isJsonObject(part) && !TEXT_PARTS.includes(part.type)))
