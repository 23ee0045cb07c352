import type { Problem } from './problem.js'
import type { Config } from './schema.js'

/** What must hold for a registry in a bucket. No problem repeats a key, or a URL: it may hold a password. */
export function* storeRules({ adapters }: Config): Generator<Problem> {
  const { store, s3 } = adapters
  if (store === null) return
  if (!LOCATION.test(store) || /(^|\/)\.+(\/|$)/.test(store))
    yield {
      key: 'adapters.store',
      text: 'expected s3://bucket/prefix, of letters, digits, dots, hyphens and underscores',
    }
  if (s3.endpoint !== null && !isEndpoint(s3.endpoint))
    yield {
      key: 'adapters.s3.endpoint',
      text: 'expected a URL such as https://host:9000, without a user name and a path',
    }
  const bucket = store.slice('s3://'.length).split('/', 1)[0] as string
  if (!s3.pathStyle && s3.endpoint === null && bucket.includes('.'))
    yield {
      key: 'adapters.s3.pathStyle',
      text: 'must be true for a bucket whose name has dots: no certificate covers it',
    }
  if (s3.accessKeyId === null) yield { key: 'adapters.s3.accessKeyId', text: NEEDED }
  if (s3.secretAccessKey === null) yield { key: 'adapters.s3.secretAccessKey', text: NEEDED }
}

const LOCATION = /^s3:\/\/[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](\/[\w./-]*)?$/
const NEEDED = 'required with adapters.store, here or in the environment as AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY'

function isEndpoint(text: string): boolean {
  if (!URL.canParse(text)) return false
  const { protocol, username, password, search, hash, pathname } = new URL(text)
  return (
    ['http:', 'https:'].includes(protocol) &&
    [username, password, search, hash].every((part) => part === '') &&
    pathname === '/'
  )
}
