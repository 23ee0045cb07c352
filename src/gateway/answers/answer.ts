import { isJsonObject, type JsonObject } from '../../events/json.js'

/** One of the answers to a request, as far as it has come. */
export interface Choice {
  text: string
  reasoning: string
  /** As the API has them, by their number. */
  readonly toolCalls: ToolCall[]
  tokens: number[] | null
  promptTokens: readonly number[] | null
  finishReason: string | null
}

interface ToolCall {
  id: string | null
  readonly type: 'function'
  readonly function: { name: string; arguments: string }
}

/** More choices, or calls in one, are no answer of this API. */
const MOST = 1024

/** Puts an answer together from the body of the response, or from the events of its stream. */
export class Answer {
  readonly choices = new Map<number, Choice>()
  usage: JsonObject | null = null
  /** Ids of the prompt, if the server has given them for all choices together. */
  promptTokens: readonly number[] | null = null
  /** The server has sent an error in place of an answer. */
  hasFailed = false
  /** Characters and numbers that are kept, roughly in bytes of JSON. */
  size = 0

  /** Takes a whole answer, or one event. What is not of this API is ignored. */
  add(value: unknown): void {
    if (!isJsonObject(value)) return
    if (isJsonObject(value.error)) this.hasFailed = true
    if (isJsonObject(value.usage)) this.usage = value.usage
    this.promptTokens = this.#ids(value.prompt_token_ids) ?? this.promptTokens
    if (!Array.isArray(value.choices)) return
    for (const choice of value.choices) if (isJsonObject(choice)) this.#addChoice(choice)
  }

  #addChoice(value: JsonObject): void {
    const index = typeof value.index === 'number' ? value.index : 0
    if (!Number.isInteger(index) || index < 0 || index >= MOST) return
    const choice = this.#choice(index)
    const message = isJsonObject(value.delta) ? value.delta : isJsonObject(value.message) ? value.message : value
    choice.text += this.#text(message === value ? value.text : message.content)
    choice.reasoning += this.#text(message.reasoning_content ?? message.reasoning)
    if (Array.isArray(message.tool_calls)) this.#addCalls(choice, message.tool_calls)
    const tokens = this.#ids(value.token_ids)
    if (choice.tokens === null) choice.tokens = tokens
    else if (tokens !== null) choice.tokens.push(...tokens)
    choice.promptTokens = this.#ids(value.prompt_token_ids) ?? choice.promptTokens
    if (typeof value.finish_reason === 'string') choice.finishReason = value.finish_reason
  }

  #choice(index: number): Choice {
    const known = this.choices.get(index)
    if (known !== undefined) return known
    const fresh: Choice = {
      ...{ text: '', reasoning: '', toolCalls: [], tokens: null, promptTokens: null, finishReason: null },
    }
    this.choices.set(index, fresh)
    return fresh
  }

  /** A stream gives a call's id and name once, and its arguments bit by bit. */
  #addCalls({ toolCalls }: Choice, values: readonly unknown[]): void {
    for (const [i, value] of values.entries()) {
      if (!isJsonObject(value)) continue
      const index = typeof value.index === 'number' ? value.index : i
      if (!Number.isInteger(index) || index < 0 || index > toolCalls.length || index >= MOST) continue
      if (index === toolCalls.length)
        toolCalls.push({ id: null, type: 'function', function: { name: '', arguments: '' } })
      const call = toolCalls[index] as ToolCall
      const called = isJsonObject(value.function) ? value.function : {}
      call.id ??= this.#text(value.id) || null
      call.function.name += this.#text(called.name)
      call.function.arguments += this.#text(called.arguments)
    }
  }

  #text(value: unknown): string {
    if (typeof value !== 'string') return ''
    this.size += value.length
    return value
  }

  #ids(value: unknown): number[] | null {
    if (!Array.isArray(value) || !value.every(Number.isInteger)) return null
    this.size += 6 * value.length
    return value as number[]
  }
}
