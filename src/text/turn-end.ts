import { ROLES } from '../events/messages.js'
import type { ChatTemplate, Conversation, Ending } from './chat-template.js'
import type { TokenFinder } from './token-finder.js'

/** How a chat template ends the assistant's last turn. */
export interface TurnEnd {
  /** All that it writes behind the content. */
  readonly written: string
  /** What an answer ends with: up to the first added token, all if there is none. */
  readonly text: string
  /** There is one: the model says that it is done. Else the tokenizer's end token says so. */
  readonly closes: boolean
}

const QUESTION = { role: 'user', content: 'bcod asks' }
const ANSWER = 'bcod answers'
const ANSWERED = { role: 'assistant', content: ANSWER }

/**
 * Learnt from what the template writes behind an answer. Null if the template fails on a plain question and answer.
 *
 * @param added  finds the tokenizer's added tokens
 */
export function learnTurnEnd(
  template: ChatTemplate,
  templateArguments: Readonly<Record<string, unknown>>,
  added: TokenFinder,
  now: number,
): TurnEnd | null {
  const rendered = attempt(template, [QUESTION, ANSWERED], templateArguments, 'none', now)
  const at = rendered?.lastIndexOf(ANSWER) ?? -1
  if (rendered === null || at === -1) return null
  const written = rendered.slice(at + ANSWER.length)
  const [first] = added.matches(written)
  return { written, text: first ? written.slice(0, first[1]) : written, closes: first !== undefined }
}

/** What the template writes around the turns of each role, for the marks that it puts together from pieces. */
export function writtenAroundTurns(
  template: ChatTemplate,
  templateArguments: Readonly<Record<string, unknown>>,
  now: number,
): string {
  const conversations = ROLES.map((role) => [QUESTION, ANSWERED, { role, content: 'bcod says' }])
  const beginning = ['system', 'developer'].map((role) => [{ role, content: 'bcod says' }, QUESTION])
  return [...conversations, ...beginning]
    .map((messages) => attempt(template, messages, templateArguments, 'generation-prompt', now) ?? '')
    .join('\n')
}

function attempt(
  template: ChatTemplate,
  messages: Conversation['messages'],
  templateArguments: Readonly<Record<string, unknown>>,
  ending: Ending,
  now: number,
): string | null {
  try {
    return template.render({ messages, tools: null, templateArguments }, ending, now)
  } catch {
    return null
  }
}

/** What servers say of an answer that the model itself ended. */
const ENDED: ReadonlySet<string> = new Set([
  'stop',
  'eos',
  'eos_token',
  'end_turn',
  'complete',
  'completed',
  'tool_calls',
  'tool_use',
  'function_call',
])

/** Whether the model itself ended its answer, as the server tells; it did where nobody says. */
export const endedByModel = (finishReason: string | undefined): boolean =>
  finishReason === undefined || ENDED.has(finishReason.toLowerCase())
