import { BcodError } from '../errors.js'
import type { JsonObject } from '../events/json.js'
import type { Content, Message } from '../events/types.js'
import type { Conversation } from './chat-template.js'
import type { ControlTokens } from './control-tokens.js'

export type Messages = Extract<Content, { readonly kind: 'messages' }>

/** How a template gets the arguments of tool calls. Most want an object, some put them behind a string as they are. */
export type ArgumentForm = 'object' | 'text'

export interface ConversationOptions {
  readonly control: ControlTokens
  /** Variables of the template that the vote does not set. */
  readonly templateArguments: JsonObject
  readonly argumentForm: ArgumentForm
}

/**
 * A prompt, and the answer that follows it, as the template gets them, with all text of the vote guarded.
 *
 * @throws CONTROL_TOKEN_IN_TEXT
 */
export function conversation(
  { messages, extra }: Messages,
  answer: readonly Message[],
  options: ConversationOptions,
): Conversation {
  const { control, templateArguments } = options
  const { tools, chat_template_kwargs } = parsed(extra)
  const side = (place: string) => (message: Message, i: number) =>
    templateMessage(message, `data.${place}[${i}]`, options)
  return {
    messages: [...messages.map(side('prompt')), ...answer.map(side('completion'))],
    tools: tools === undefined ? null : (control.guardAll(tools, 'data.tools') as readonly JsonObject[]),
    templateArguments: {
      ...templateArguments,
      ...(control.guardAll(chat_template_kwargs, 'data.chat_template_kwargs') as JsonObject | undefined),
    },
  }
}

/** Whether the prompt ends within a turn of the assistant, which the answer then goes on with. */
export function endsWithinAnswer({ messages }: Messages): boolean {
  const last = messages.at(-1)
  return last !== undefined && isAssistant(last)
}

/** A message of which the answer is the rest, and the messages of the answer after it. */
export function joined(started: Message, answer: readonly Message[]): readonly Message[] | null {
  const [first, ...rest] = answer
  if (first === undefined || !isAssistant(first) || started.content === null) return null
  return [{ ...started, ...first, content: started.content + (first.content ?? '') }, ...rest]
}

const isAssistant = ({ role }: Message): boolean => role === 'assistant' || role === 'model'

function templateMessage(message: Message, place: string, { control, argumentForm }: ConversationOptions): JsonObject {
  const { role, content, extra } = message
  const { tool_calls, reasoning_content, ...rest } = parsed(extra)
  const answers = isAssistant(message)
  const reasoning = reasoning_content as string | undefined
  const thought = reasoning === undefined ? null : control.guard(reasoning, `${place}.reasoning_content`, answers)
  return {
    role,
    content: content === null ? null : control.guard(content, `${place}.content`, answers),
    ...(control.guardAll(rest, place) as JsonObject),
    // as transformers names it for older and newer templates
    ...(thought !== null && { reasoning_content: thought, thinking: thought }),
    ...(tool_calls !== undefined && {
      tool_calls: control.guardAll(
        (tool_calls as readonly JsonObject[]).map((call) => withArguments(call, argumentForm)),
        `${place}.tool_calls`,
      ),
    }),
  }
}

function withArguments(call: JsonObject, form: ArgumentForm): JsonObject {
  if (typeof call.function === 'object' && call.function !== null) {
    return { ...call, function: withArguments(call.function as JsonObject, form) }
  }
  const given = call.arguments
  if (form === 'object') return typeof given === 'string' ? { ...call, arguments: fromJson(given) } : call
  return typeof given === 'object' && given !== null ? { ...call, arguments: pythonJson(given) } : call
}

/** The object that a text of JSON holds, as vLLM reads it; the text itself where it holds none. */
function fromJson(text: string): unknown {
  if (text.trim() === '') return {}
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? value : text
  } catch {
    return text
  }
}

/**
 * Arguments that a text holds, and an object would not hold as they are: JavaScript has no 20.0 and no large integers,
 * and puts keys that are whole numbers first.
 *
 * @throws MESSAGE_NOT_RENDERED
 */
export function requireExactArguments(messages: readonly Message[]): void {
  for (const { extra } of messages) {
    for (const call of (parsed(extra).tool_calls ?? []) as readonly JsonObject[]) {
      const { arguments: given } = (call.function ?? call) as JsonObject
      if (typeof given === 'string' && typeof fromJson(given) === 'object' && !isExact(given))
        throw new BcodError('MESSAGE_NOT_RENDERED', 'arguments of a call have a number or a key that would change')
    }
  }
}

function isExact(json: string): boolean {
  const tokens = json.match(/"(?:[^"\\]|\\.)*"\s*:?|-?\d[\d.eE+-]*/g) ?? []
  return tokens.every((token) => {
    if (!token.startsWith('"')) return isExactNumber(token)
    return !token.endsWith(':') || !/^(0|[1-9]\d*)$/.test(JSON.parse(token.slice(0, -1)) as string)
  })
}

/** Python writes numbers below 0.0001 with an exponent, JavaScript does not. */
function isExactNumber(text: string): boolean {
  const value = Number(text)
  if (String(value) !== text || text.includes('e')) return false
  return Number.isInteger(value) ? Number.isSafeInteger(value) : Math.abs(value) >= 1e-4
}

/** As Python's `json.dumps` writes it: a space behind each comma and colon. */
const pythonJson = (value: object): string =>
  JSON.stringify(value, null, 1)
    .replace(/,\n\s*/g, ', ')
    .replace(/\n\s*/g, '')

const parsed = (extra: string | undefined): JsonObject => (extra === undefined ? {} : (JSON.parse(extra) as JsonObject))
