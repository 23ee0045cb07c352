import { isIP } from 'node:net'
import type { Problem } from './problem.js'
import { type Config, settings } from './schema.js'
import { at } from './tree.js'

/** Fewest characters of `server.adminToken`, and how many of them must differ. */
export const ADMIN_TOKEN = { length: 16, distinct: 8 } as const

/**
 * What would let secrets out, or strangers in. None of the problems repeats a value: it may hold the secret that is in
 * the wrong place.
 */
export function* exposureRules(config: Config): Generator<Problem> {
  yield* credentialRules(config)
  yield* brokerRules(config)
  yield* tokenRules(config)
  yield* hostRules(config)
}

/** `https://user:password@host/`: a URL is printed, a secret has a key of its own. */
const CREDENTIALS = /^\s*[a-z][a-z0-9+.-]*:[^?#\s]*@/i

function* credentialRules(config: Config): Generator<Problem> {
  for (const [key, { format, sensitive }] of settings) {
    if (sensitive || (format !== 'text' && format !== 'list')) continue
    const value = at(config, key) as string | readonly string[] | null
    const texts = value === null ? [] : typeof value === 'string' ? [value] : value
    if (texts.some((text) => CREDENTIALS.test(text)))
      yield {
        key,
        text: `holds a user name or a password in a URL, which would be printed; ${ownKeyFor(key)} (an @ of a path is written %40)`,
      }
  }
  const { url } = config.embeddings
  if (url !== null && !isHttpUrl(url)) yield { key: 'embeddings.url', text: 'expected a URL with http:// or https://' }
  else if (url !== null && /[?#]/.test(url))
    yield { key: 'embeddings.url', text: 'expected a URL without ? and #; a key belongs into embeddings.token' }
  const { tokenEndpoint } = config.stream.sasl
  if (tokenEndpoint !== null && !isHttpUrl(tokenEndpoint))
    yield { key: 'stream.sasl.tokenEndpoint', text: 'expected a URL with http:// or https://' }
}

const isHttpUrl = (text: string): boolean => URL.canParse(text) && ['http:', 'https:'].includes(new URL(text).protocol)

const OWN_KEYS: readonly (readonly [prefix: string, where: string])[] = [
  ['embeddings.', 'set embeddings.token'],
  ['stream.', 'set stream.sasl.username and stream.sasl.password'],
]
const ownKeyFor = (key: string): string => OWN_KEYS.find(([prefix]) => key.startsWith(prefix))?.[1] ?? 'leave them out'

const BROKER = /^(\[[0-9a-f:.]+(%\w+)?\]|[^\s:/@?#,]+):\d{1,5}$/i

function* brokerRules({ stream }: Config): Generator<Problem> {
  const wrong = stream.brokers.findIndex((broker) => !BROKER.test(broker))
  if (wrong >= 0) yield { key: 'stream.brokers', text: `expected host:port, which number ${wrong + 1} is not` }
}

function* tokenRules({ server }: Config): Generator<Problem> {
  const token = server.adminToken
  if (token === null) return
  const key = 'server.adminToken'
  const { length, distinct } = ADMIN_TOKEN
  if (!/^[!-~]([ -~]*[!-~])?$/.test(token)) yield { key, text: 'expected printable ASCII, as a header can carry it' }
  else if (token.length < length || new Set(token).size < distinct)
    yield {
      key,
      text: `is too easy to guess: expected at least ${length} characters, ${distinct} of them different, such as \`openssl rand -hex 32\` makes`,
    }
}

const HOST = /^(\*|(\*\.)?[a-z0-9_-]+(\.[a-z0-9_-]+)*)$/i

function* hostRules({ server }: Config): Generator<Problem> {
  const wrong = server.allowedHosts.findIndex((name) => !HOST.test(name) && isIP(name) === 0)
  if (wrong >= 0)
    yield {
      key: 'server.allowedHosts',
      text: `expected a name without scheme and port, or *.name, which number ${wrong + 1} is not`,
    }
}
