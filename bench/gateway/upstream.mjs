// A stand-in for a model server: a stream of 60 events, `pause` milliseconds apart, or all at once.
import { createServer } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'

const event = (content, finish_reason = null) =>
  `data: ${JSON.stringify({ id: 'chatcmpl-1', object: 'chat.completion.chunk', created: 1, model: 'shop', choices: [{ index: 0, delta: { content }, finish_reason }] })}\n\n`
const EVENTS = [...Array.from({ length: 58 }, (_, i) => event(` word${i}`)), event('', 'stop'), 'data: [DONE]\n\n']

const server = createServer(async (request, response) => {
  const pieces = []
  for await (const piece of request) pieces.push(piece)
  if (request.method === 'GET') return response.end('{"object":"list","data":[]}')
  const { pause = 0 } = JSON.parse(Buffer.concat(pieces).toString())
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  for (const text of EVENTS) {
    response.write(text)
    if (pause > 0) await sleep(pause)
  }
  response.end()
})
server.keepAliveTimeout = 60_000
server.listen(0, '127.0.0.1', () => process.send(server.address().port))
