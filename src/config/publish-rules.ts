import type { Problem } from './problem.js'
import type { Config } from './schema.js'

type Target = Config['publish']['targets'][number]

/** What must hold for the servers that versions are published to. No problem repeats a URL: it may hold a password. */
export function* publishRules({ publish }: Config): Generator<Problem> {
  for (const [i, target] of publish.targets.entries()) {
    const text = wrong(target)
    if (text !== null) yield { key: 'publish.targets', text: `number ${i + 1}: ${text}` }
  }
  const servers = publish.targets.filter(({ kind }) => kind !== 'directory')
  if (new Set(servers.map(({ name }) => name)).size > 1)
    yield { key: 'publish.targets', text: 'expected one name for all servers: routing.json has one for each version' }
  const twice = publish.targets.flatMap(({ urls, dns }) => [...urls, ...(dns === null ? [] : [dns])]).map(plain)
  if (new Set(twice).size < twice.length)
    yield { key: 'publish.targets', text: 'expected each server once: two entries name the same URL' }
}

function wrong({ kind, urls, dns, name, path }: Target): string | null {
  const given = urls.length + (dns === null ? 0 : 1)
  if (kind === 'directory') return given > 0 || path !== null ? 'kind directory takes no urls, dns or path' : null
  if (given === 0 || (urls.length > 0 && dns !== null)) return `kind ${kind} takes either urls or dns`
  if (![...urls, ...(dns === null ? [] : [dns])].every(isServerUrl))
    return 'expected URLs such as http://host:8000, without a user name, a query and /v1'
  if (!/^[\w.-]+$/.test(name)) return 'expected a name of letters, digits, dots, hyphens and underscores'
  if (path !== null && !path.startsWith('/')) return 'expected an absolute path'
  return null
}

function isServerUrl(text: string): boolean {
  if (!URL.canParse(text)) return false
  const { protocol, username, password, search, hash, pathname } = new URL(text)
  const isPlain = username === '' && password === '' && search === '' && hash === ''
  return ['http:', 'https:'].includes(protocol) && isPlain && !/\/v1\/?$/.test(pathname)
}

const plain = (url: string): string => url.replace(/\/+$/, '')
