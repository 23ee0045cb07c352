import type { JsonObject } from '../../events/json.js'
import type { Content, Message } from '../../events/types.js'
import type { Conversation } from './chat-template.js'

type Messages = Extract<Content, { readonly kind: 'messages' }>

/** A prompt, and what follows it, as the template gets them. */
export function conversation({ messages, extra }: Messages, following: readonly Message[] = []): Conversation {
  const { tools, chat_template_kwargs } = parsed(extra) as {
    readonly tools?: readonly JsonObject[]
    readonly chat_template_kwargs?: JsonObject
  }
  return {
    messages: [...messages, ...following].map(templateMessage),
    tools: tools ?? null,
    templateArguments: chat_template_kwargs ?? {},
  }
}

/**
 * One message for the template. Arguments of a tool call that are JSON in a string become an object, which is what
 * templates expect and what vLLM does: else they would be written as a string within JSON.
 */
function templateMessage({ role, content, extra }: Message): JsonObject {
  const { tool_calls, ...rest } = parsed(extra) as { readonly tool_calls?: readonly JsonObject[] }
  return { role, content, ...rest, ...(tool_calls && { tool_calls: tool_calls.map(withArguments) }) }
}

function withArguments(call: JsonObject): JsonObject {
  if (typeof call.function === 'object' && call.function !== null) {
    return { ...call, function: withArguments(call.function as JsonObject) }
  }
  return typeof call.arguments === 'string' ? { ...call, arguments: objectOrText(call.arguments) } : call
}

function objectOrText(text: string): unknown {
  if (text.trim() === '') return {}
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? value : text
  } catch {
    return text
  }
}

const parsed = (extra: string | undefined): object => (extra === undefined ? {} : (JSON.parse(extra) as object))
