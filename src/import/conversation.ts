import { isJsonObject, type JsonObject } from '../events/json.js'
import { list, object, objects, text, unquoted } from './values.js'
import { Skipped } from './vote.js'

/**
 * What traces keep as the input and the output of a model: the bodies of OpenAI's APIs, the messages of LangChain in its
 * three forms, single texts, and objects that hold one of these under a usual name.
 */

/** What was asked, as `data.prompt` and `data.tools` of an event. */
export interface Asked {
  readonly prompt: unknown
  readonly tools?: unknown
}

/** What was answered, as `data.completion` and `data.finish_reason` of an event. */
export interface Answered {
  readonly completion: unknown
  readonly finishReason?: string
}

const ASKED = ['messages', 'input', 'inputs', 'prompt', 'question', 'query', 'request'] as const
const ANSWERED = ['output', 'outputs', 'answer', 'response', 'result', 'text', 'completion', 'content'] as const

/** @throws Skipped */
export function askedIn(value: unknown): Asked {
  const input = unquoted(value)
  if (text(input) !== null) return { prompt: [{ role: 'user', content: input }] }
  if (Array.isArray(input)) {
    const [first] = input as readonly unknown[]
    if (Array.isArray(first)) return askedIn(first)
    if (input.length > 0) return { prompt: input.map(asMessage) }
  }
  const body = object(input)
  const held = ASKED.find((name) => !isEmpty(body[name]))
  if (held !== undefined) return { ...askedIn(body[held]), ...(list(body.tools).length > 0 && { tools: body.tools }) }
  throw new Skipped('prompt_missing')
}

/** @throws Skipped */
export function answeredIn(value: unknown): Answered {
  const output = unquoted(value)
  if (text(output) !== null) return { completion: output }
  if (Array.isArray(output)) return answeredIn(lastAnswer(output))
  const body = object(output)
  const [choice] = objects(body.choices)
  if (choice !== undefined) return { ...answeredIn(choice.message ?? choice.text), ...finish(choice.finish_reason) }
  const [generation] = list(body.generations)
  if (generation !== undefined) {
    const { message, text: said } = object(list(generation)[0] ?? generation)
    return answeredIn(message ?? said)
  }
  if (Array.isArray(body.messages)) return answeredIn(lastAnswer(body.messages))
  if (isMessage(body)) return { completion: said(asMessage(body)) }
  const held = ANSWERED.find((name) => !isEmpty(body[name]))
  if (held !== undefined) return answeredIn(body[held])
  throw new Skipped('answer_missing')
}

const isEmpty = (value: unknown): boolean => value === undefined || value === null || value === ''

const finish = (reason: unknown) => (text(reason) === null ? {} : { finishReason: reason as string })

/** Of the output items of the Responses API or of messages: the last that the model said. */
function lastAnswer(items: readonly unknown[]): unknown {
  const last = items.at(-1)
  if (isJsonObject(last) && isMessage(last) && asMessage(last).role !== 'assistant') throw new Skipped('answer_missing')
  return last
}

const isMessage = (value: JsonObject): boolean =>
  isJsonObject(value.kwargs) || value.role !== undefined || (value.content !== undefined && value.type !== undefined)

const ROLES: Readonly<Record<string, string | undefined>> = {
  human: 'user',
  humanmessage: 'user',
  ai: 'assistant',
  aimessage: 'assistant',
  aimessagechunk: 'assistant',
  systemmessage: 'system',
  toolmessage: 'tool',
  functionmessage: 'function',
}

/** A message as the events have it; LangChain's name it by type or class, and some hold it one level further in. */
function asMessage(value: unknown): JsonObject {
  const message = object(value)
  const inner = isJsonObject(message.kwargs) ? message.kwargs : isJsonObject(message.data) ? message.data : message
  const named = text(message.role) ?? text(list(message.id).at(-1)) ?? text(message.type) ?? text(inner.type) ?? ''
  const lower = named.toLowerCase()
  const role = ROLES[lower] ?? (lower === 'message' ? 'assistant' : lower)
  const calls = toolCalls(inner)
  return {
    ...{ role, content: inner.content },
    ...(calls.length > 0 && { tool_calls: calls }),
    ...(text(inner.tool_call_id) !== null && { tool_call_id: inner.tool_call_id }),
    ...(text(inner.name) !== null && { name: inner.name }),
  }
}

/** Calls as the API has them, or as LangChain has them, `{name, args}`. */
function toolCalls(message: JsonObject): readonly JsonObject[] {
  const raw = objects(object(message.additional_kwargs).tool_calls)
  const calls = raw.length > 0 ? raw : objects(message.tool_calls)
  return calls.map((call) =>
    call.args === undefined
      ? call
      : { id: call.id, type: 'function', function: { name: call.name, arguments: call.args } },
  )
}

/** A text, or the message itself if there is more to it. */
const said = (message: JsonObject): unknown =>
  typeof message.content === 'string' && message.tool_calls === undefined ? message.content : [message]
