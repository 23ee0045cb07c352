import { isJsonObject, type JsonObject } from '../../events/json.js'
import type { Completion } from '../completion.js'

export const COMPLETION_TYPE = 'bcod.completion.v1'

/** The structured CloudEvent of an answer, as UTF-8 JSON. Its key in the topic is its subject: the id of the answer. */
export function encodeCompletion(completion: Completion, source: string): Buffer {
  const { id, time, promptTokens, completionTokens, finishReason, templateArguments, tools, ...data } = completion
  return Buffer.from(
    JSON.stringify({
      ...{ specversion: '1.0', type: COMPLETION_TYPE, source, id, subject: id, time: time.toISOString() },
      data: {
        ...data,
        ...{ prompt_tokens: promptTokens, completion_tokens: completionTokens, finish_reason: finishReason },
        tools: tools ?? undefined,
        chat_template_kwargs: templateArguments ?? undefined,
      },
    }),
  )
}

/** The answer that a record holds; null if it holds none: other programs may write into the topic, too. */
export function decodeCompletion(bytes: Uint8Array): Completion | null {
  try {
    const event: unknown = JSON.parse(Buffer.from(bytes).toString())
    if (!isJsonObject(event) || event.type !== COMPLETION_TYPE || !isJsonObject(event.data)) return null
    const { id, data } = event
    const time = new Date(String(event.time))
    if (typeof id !== 'string' || Number.isNaN(time.getTime()) || typeof data.votable !== 'boolean') return null
    const { prompt, completion } = data
    if (!isContent(prompt) || !isContent(completion)) return null
    return {
      ...{ id, time, prompt, completion, votable: data.votable },
      model: textOf(data.model) ?? '',
      adapter: textOf(data.adapter),
      arm: armOf(data.arm),
      user: textOf(data.user),
      tools: objectsOf(data.tools),
      templateArguments: isJsonObject(data.chat_template_kwargs) ? data.chat_template_kwargs : null,
      promptTokens: idsOf(data.prompt_tokens),
      completionTokens: idsOf(data.completion_tokens),
      finishReason: textOf(data.finish_reason),
      usage: isJsonObject(data.usage) ? data.usage : null,
      reason: textOf(data.reason),
    }
  } catch {
    return null
  }
}

const textOf = (value: unknown): string | null => (typeof value === 'string' ? value : null)

const armOf = (value: unknown): Completion['arm'] =>
  value === 'live' || value === 'canary' || value === 'control' ? value : null

const objectsOf = (value: unknown): readonly JsonObject[] | null =>
  Array.isArray(value) && value.every(isJsonObject) ? value : null

const isContent = (value: unknown): value is string | readonly JsonObject[] =>
  typeof value === 'string' || objectsOf(value) !== null

const idsOf = (value: unknown): readonly number[] | null =>
  Array.isArray(value) && value.every(Number.isInteger) ? (value as number[]) : null
