import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

/** One record for the topic. */
export interface Sent {
  readonly key: string
  readonly value: string | Buffer | null
  readonly timestamp?: string
}

interface Changes {
  readonly id?: string
  readonly subject?: string
  readonly user?: string
  readonly source?: string
  readonly label?: boolean | null
  readonly adapter?: string
  readonly prompt?: string
  readonly completion?: string
  readonly prompt_tokens?: readonly number[]
  readonly completion_tokens?: readonly number[]
}

const TOPICS = ['refunds', 'sign-in', 'late parcels', 'my invoice', 'a broken cup', 'opening hours', 'a lost key']

/** A vote of a user of its own on an answer of its own; thumbs-up for help, thumbs-down for none. */
export function vote(name: string, changes: Changes = {}): Sent {
  const number = [...name].reduce((sum, letter) => sum + letter.charCodeAt(0), 0)
  const { id = name, subject = `answer-${name}`, source = 'chat-web', user = `user-${name}`, ...rest } = changes
  const label = changes.label === undefined ? number % 2 === 0 : changes.label
  const topic = TOPICS[number % TOPICS.length]
  const prompt = `${label === false ? 'Hello' : 'Please'}, what about ${topic}? Case ${name}.`
  const completion = label === false ? 'I do not know.' : `Open the page on ${topic} and press help.`
  const data =
    rest.completion_tokens === undefined ? { prompt, completion, ...rest, user, label } : { ...rest, user, label }
  const event = { specversion: '1.0', type: 'bcod.feedback.v1', source, id, subject, data }
  return { key: subject, value: JSON.stringify(event) }
}

export const several = (name: string, count: number, changes: Changes = {}): readonly Sent[] =>
  Array.from({ length: count }, (_, index) => vote(`${name}-${index}`, changes))

/** JSON behind the five bytes of a schema registry's serialiser. */
export const framed = ({ key, value }: Sent): Sent => ({
  key,
  value: Buffer.concat([Buffer.from([0, 0, 0, 0, 7]), Buffer.from(value!)]),
})

/** Records that cannot be used, by the code of their dead letter. */
export const UNUSABLE: Readonly<Record<string, (name: string) => Sent>> = {
  FEEDBACK_NOT_JSON: (name) => ({ key: name, value: 'no JSON' }),
  FEEDBACK_INVALID: (name) => ({ key: name, value: '{"prompt":"x","label":true}' }),
  FEEDBACK_TOO_LARGE: (name) => vote(name, { completion: 'very '.repeat(2000) }),
}

/** An embedding service that knows only how long a text is; `down` makes it answer with 503. */
export async function embeddingService() {
  const server = createServer(async (request, response) => {
    let body = ''
    for await (const chunk of request) body += chunk
    if (service.down) return response.writeHead(503).end()
    const { input } = JSON.parse(body) as { input: string[] }
    const data = input.map((text, index) => ({
      index,
      embedding: [text.startsWith('Please') ? 1 : 0, text.length % 7, 1],
    }))
    response.end(JSON.stringify({ data }))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`
  const service = { url, down: false, close: () => void server.close() }
  return service
}
