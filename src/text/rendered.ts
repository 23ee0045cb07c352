import type { JsonObject } from '../events/json.js'
import type { ChatTemplate, Conversation, Ending } from './chat-template.js'

/** What of a conversation a template may leave out without a word. */
export type Part = 'tools' | 'tool calls' | 'reasoning'

/**
 * Which parts of a conversation the template does not write: names, arguments and reasoning are replaced by words of
 * ours, which must turn up in what it writes.
 *
 * @param answers  so many messages at the end are the answer: only their reasoning must be written, for templates leave
 *   out that of earlier turns on purpose
 */
export function partsNotWritten(
  template: ChatTemplate,
  conversation: Conversation,
  answers: number,
  ending: Ending,
  now: number,
): readonly Part[] {
  const words: [Part, string][] = []
  const word = (part: Part): string => {
    const text = `bcod${words.length}asks`
    words.push([part, text])
    return text
  }
  const firstAnswer = conversation.messages.length - answers
  const probe = {
    ...conversation,
    tools: conversation.tools?.map((tool) => renamed(tool, () => word('tools'))) ?? null,
    messages: conversation.messages.map((message, i) => ({
      ...message,
      ...callsOf(message, word),
      ...(i >= firstAnswer ? reasoningOf(message, word) : {}),
    })),
  }
  if (words.length === 0) return []
  const written = template.render(probe, ending, now)
  return [...new Set(words.filter(([, text]) => !written.includes(text)).map(([part]) => part))]
}

/** The object with another name, if it has one; it may stand under `function`. */
function renamed(value: JsonObject, name: () => string): JsonObject {
  const inner = value.function
  if (typeof inner === 'object' && inner !== null) return { ...value, function: renamed(inner as JsonObject, name) }
  return 'name' in value ? { ...value, name: name() } : value
}

function callsOf(message: JsonObject, word: (part: Part) => string): JsonObject {
  const calls = message.tool_calls as readonly JsonObject[] | undefined
  if (calls === undefined) return {}
  return {
    tool_calls: calls.map((call) =>
      withArguments(
        renamed(call, () => word('tool calls')),
        word,
      ),
    ),
  }
}

function withArguments(call: JsonObject, word: (part: Part) => string): JsonObject {
  const inner = call.function
  if (typeof inner === 'object' && inner !== null) {
    return { ...call, function: withArguments(inner as JsonObject, word) }
  }
  const given = call.arguments
  if (typeof given === 'string') return { ...call, arguments: word('tool calls') }
  const isEmpty = typeof given !== 'object' || given === null || Object.keys(given).length === 0
  return isEmpty ? call : { ...call, arguments: { [word('tool calls')]: word('tool calls') } }
}

function reasoningOf(message: JsonObject, word: (part: Part) => string): JsonObject {
  if (message.reasoning_content === undefined) return {}
  const text = word('reasoning')
  return { reasoning_content: text, thinking: text }
}
