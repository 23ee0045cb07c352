import type { Problem } from './problem.js'
import type { Config } from './schema.js'

/** Fewest characters of a key and of a salt: as long as what HMAC-SHA-256 makes of them. */
const SHORTEST = 32

/** What must hold for the gateway. No problem repeats a key. */
export function* gatewayRules({ gateway }: Config): Generator<Problem> {
  const wrong = gateway.upstreams.findIndex((url) => !isBase(url))
  if (wrong >= 0)
    yield {
      key: 'gateway.upstreams',
      text: `expected http:// or https:// URLs without a user name, ? and #, which number ${wrong + 1} is not; a key belongs into gateway.upstreamKey`,
    }
  if (gateway.routing !== null && !isBase(gateway.routing))
    yield { key: 'gateway.routing', text: 'expected a URL with http:// or https://, without a user name, ? and #' }
  const origin = gateway.corsOrigins.findIndex((text) => !isOrigin(text))
  if (origin >= 0)
    yield {
      key: 'gateway.corsOrigins',
      text: `expected origins such as https://chat.example.com, without a path, which number ${origin + 1} is not`,
    }
  const short = voteKeysIn(gateway.voteKey).some((key) => key.length < SHORTEST)
  if (short)
    yield { key: 'gateway.voteKey', text: `expected at least ${SHORTEST} characters, as openssl rand -hex 32 makes` }
  const { userSalt } = gateway
  if (userSalt !== null && userSalt.length < 16)
    yield { key: 'gateway.userSalt', text: 'expected at least 16 characters, as openssl rand -hex 32 makes' }
}

/** The keys of `gateway.voteKey`: the first one signs, the others are being replaced. */
export const voteKeysIn = (text: string | null): readonly string[] =>
  text === null ? [] : text.split(',').map((key) => key.trim())

function isBase(text: string): boolean {
  if (!URL.canParse(text)) return false
  const { protocol, username, password, search, hash } = new URL(text)
  return ['http:', 'https:'].includes(protocol) && [username, password, search, hash].every((part) => part === '')
}

const isOrigin = (text: string): boolean =>
  URL.canParse(text) && ['http:', 'https:'].includes(new URL(text).protocol) && new URL(text).origin === text
