import { BcodError } from '../../src/errors.js'
import type { LogRecord } from '../../src/events/types.js'

/** A record at votes-2-17 whose value is the JSON of `value`, or `value` itself where it is bytes or null. */
export function record(value: unknown, headers: Record<string, string> = {}): LogRecord {
  return {
    topic: 'votes',
    partition: 2,
    offset: 17,
    timestamp: 1_700_000_000_000,
    key: null,
    value: value === null || value instanceof Uint8Array ? value : Buffer.from(JSON.stringify(value)),
    headers: Object.fromEntries(Object.entries(headers).map(([key, text]) => [key, Buffer.from(text)])),
  }
}

/** A canonical event with changes to its attributes and data. */
export const cloudEvent = (data: object = {}, attributes: object = {}) => ({
  specversion: '1.0',
  type: 'bcod.feedback.v1',
  source: 'chat-web',
  id: 'e-1',
  subject: 'completion-1',
  ...attributes,
  data: { prompt: 'Hi', completion: 'Hello.', label: true, ...data },
})

/** `CODE place: message` of the coded error that `run` throws. */
export function errorLine(run: () => unknown): string {
  try {
    run()
  } catch (error) {
    if (error instanceof BcodError) return error.line
    throw error
  }
  throw new Error('nothing was thrown')
}
