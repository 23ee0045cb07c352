import type { IncomingHttpHeaders } from 'node:http'

/** Of one connection, and not of the message (RFC 9110, 7.6.1). */
const HOP_BY_HOP: ReadonlySet<string> = new Set([
  ...['connection', 'proxy-connection', 'keep-alive', 'te', 'trailer', 'transfer-encoding', 'upgrade'],
  ...['proxy-authenticate', 'proxy-authorization'],
])

/** Of a request: made anew by the gateway, or answered by it. */
const OWN: ReadonlySet<string> = new Set(['host', 'content-length', 'expect'])

type Headers = Record<string, string | string[]>

/** The headers of a message without those of its connection. */
function ofMessage(headers: IncomingHttpHeaders): Headers {
  const named = String(headers.connection ?? '')
    .toLowerCase()
    .split(',')
  const local = new Set(named.map((name) => name.trim()))
  const passed = Object.entries(headers).filter(
    ([name, value]) => value !== undefined && !HOP_BY_HOP.has(name) && !local.has(name),
  )
  return Object.fromEntries(passed) as Headers
}

/**
 * What the model server gets: everything but what belongs to the connection, and what is for the gateway alone.
 *
 * @param key  in place of what the client has for `Authorization`; null: that is passed on
 */
export function requestHeaders(headers: IncomingHttpHeaders, key: string | null): Headers {
  const passed = Object.entries(ofMessage(headers)).filter(([name]) => !OWN.has(name) && !name.startsWith('x-bcod-'))
  return { ...Object.fromEntries(passed), ...(key !== null && { authorization: `Bearer ${key}` }) }
}

/** What the client gets of the headers of an answer. */
export const answerHeaders = (headers: IncomingHttpHeaders): Headers => ofMessage(headers)
