import { statSync } from 'node:fs'
import { isIP } from 'node:net'
import type { Config } from '../config/config.js'
import { workersOf } from '../config/devices.js'
import { readConfigFile } from '../config/file.js'
import { settings } from '../config/schema.js'
import type { Setting } from '../config/setting.js'
import { at } from '../config/tree.js'
import { type Finding, warn } from './doctor/finding.js'

/**
 * What of a configuration lets secrets or users' text out, or strangers in, and is allowed all the same. `check` shows
 * these, and `run` logs each once at its start. Secrets are never part of one.
 *
 * @param file  the configuration file, where there is one
 */
export function exposureFindings(
  config: Config,
  file: string | undefined,
  environment: NodeJS.ProcessEnv = process.env,
): readonly Finding[] {
  return [
    ...loginFindings(config),
    ...portFindings(config),
    ...tokenFindings(config),
    ...endpointFindings(config),
    ...certificateFindings(environment),
    ...fileFindings(config, file),
    ...leaderFindings(config),
    ...workerFindings(config),
  ]
}

/** The same of a worker, which has no secrets. */
export function* workerFindings({ worker }: Config): Generator<Finding> {
  if (!isLoopback(worker.address))
    yield warn(
      'worker',
      `worker.address=${worker.address}: whoever reaches port ${worker.port} can run any program as the worker, and read what is sent to it`,
      'Let only the leader reach it: the NetworkPolicy of deploy/k8s/components/workers, a firewall, and mTLS around it.',
    )
}

function* leaderFindings({ devices, leader }: Config): Generator<Finding> {
  if (workersOf(devices).length > 0 && leader.address !== null && !isLoopback(leader.address))
    yield warn(
      'leader',
      `leader.address=${leader.address}: whoever reaches port ${leader.port} can run any program as the daemon, which has its secrets`,
      'Let only the workers reach it: the NetworkPolicy of deploy/k8s/components/workers, a firewall, and mTLS around it.',
    )
}

function* loginFindings({ stream }: Config): Generator<Finding> {
  const { sasl, tls } = stream
  if (tls.enabled || (sasl.mechanism !== 'plain' && sasl.mechanism !== 'oauthbearer')) return
  yield warn(
    'login',
    `stream.sasl.mechanism=${sasl.mechanism} without TLS sends the ${sasl.mechanism === 'plain' ? 'password' : 'token'} in the clear`,
    'Set stream.tls.enabled=true, or use scram-sha-512.',
  )
}

function* portFindings({ server }: Config): Generator<Finding> {
  if (!isLoopback(server.host))
    yield warn(
      'port',
      `server.host=${server.host}: whoever reaches the port can read metrics, status and the page${server.adminToken === null ? '' : ', and with the token pause training'}`,
      'Let only Prometheus, probes and operators reach it: the NetworkPolicy of deploy/k8s, a firewall, or server.host=127.0.0.1.',
    )
  if (server.allowedHosts.includes('*'))
    yield warn(
      'allowed hosts',
      'server.allowedHosts has *: a page of any site can have its name lead to the port and read it',
      'Name the hosts under which you open the page.',
    )
}

/** Below this a token is a password: somebody has thought of it. */
const RANDOM_BITS = 128

function* tokenFindings({ server }: Config): Generator<Finding> {
  const token = server.adminToken
  if (token === null || bitsAtMost(token) >= RANDOM_BITS) return
  yield warn(
    'admin token',
    `server.adminToken holds at most ${Math.floor(bitsAtMost(token))} bits of chance`,
    'Make it with `openssl rand -hex 32`.',
  )
}

/** What a text of these kinds of characters holds if chance made it: more than that it cannot be. */
function bitsAtMost(text: string): number {
  const kinds: readonly (readonly [RegExp, number])[] = [
    [/^[0-9]*$/, 10],
    [/^[0-9a-f]*$|^[0-9A-F]*$/, 16],
    [/^[a-z ]*$/, 27],
    [/^[\w+/=-]*$/, 64],
  ]
  const alphabet = kinds.find(([pattern]) => pattern.test(text))?.[1] ?? 95
  return text.length * Math.log2(alphabet)
}

function* endpointFindings({ ratio, embeddings, stream, publish, adapters }: Config): Generator<Finding> {
  const { url, token } = embeddings
  if (url !== null && ratio.embedder === 'endpoint' && isClear(url))
    yield warn(
      'embeddings',
      `embeddings.url has no TLS: users' prompts${token === null ? '' : ' and embeddings.token'} travel in the clear`,
      'Use a URL with https://.',
    )
  const { tokenEndpoint } = stream.sasl
  if (tokenEndpoint !== null && isClear(tokenEndpoint))
    yield warn(
      'token endpoint',
      'stream.sasl.tokenEndpoint has no TLS: stream.sasl.password travels in the clear',
      'Use a URL with https://.',
    )
  const servers = publish.targets.filter(({ apiKey }) => (apiKey ?? publish.apiKey) !== null)
  if (servers.flatMap(({ urls, dns }) => [...urls, ...(dns === null ? [] : [dns])]).some(isClear))
    yield warn(
      'servers',
      'publish.targets has servers without TLS: their API key travels in the clear',
      'Use URLs with https://, or keep the network between bcod and the servers to yourself.',
    )
  if (adapters.store !== null && adapters.s3.endpoint !== null && isClear(adapters.s3.endpoint))
    yield warn(
      'store',
      'adapters.s3.endpoint has no TLS: adapters travel in the clear',
      'Use a URL with https://, or keep the network between bcod and the store to yourself.',
    )
}

function* certificateFindings(environment: NodeJS.ProcessEnv): Generator<Finding> {
  if (environment.NODE_TLS_REJECT_UNAUTHORIZED !== '0') return
  yield warn(
    'certificates',
    'NODE_TLS_REJECT_UNAUTHORIZED=0: whoever is between bcod and the brokers can pass for them',
    'Take the variable away, and set stream.tls.ca to the authority of your brokers.',
  )
}

/** Files that hold secrets, and users' text, and that others than their owner and group may read. */
function* fileFindings({ stream, checkpoint }: Config, file: string | undefined): Generator<Finding> {
  const files: readonly (readonly [what: string, path: string | null | undefined])[] = [
    ['the configuration file, which holds a secret', file !== undefined && holdsSecret(file) ? file : null],
    ['stream.tls.key', stream.tls.key],
    ['stream.sasl.tokenFile', stream.sasl.tokenFile],
    ["checkpoint.dir, which holds users' text as token ids", checkpoint.dir],
  ]
  for (const [what, path] of files) {
    const mode = path ? statSync(path, { throwIfNoEntry: false })?.mode : undefined
    if (mode === undefined || (mode & 0o007) === 0) continue
    const octal = (mode & 0o777).toString(8).padStart(4, '0')
    yield warn(
      'file modes',
      `${what}, has mode ${octal}: every user of the machine may ${mode & 0o002 ? 'change' : 'read'} it`,
      `chmod o-rwx ${path}`,
    )
  }
}

function holdsSecret(file: string): boolean {
  const { tree } = readConfigFile(file)
  return [...settings].some(([key, setting]) => holdsSecretOf(setting, at(tree, key) ?? null))
}

function holdsSecretOf({ sensitive, fields }: Setting<unknown>, value: unknown): boolean {
  if (fields === null || !Array.isArray(value)) return sensitive && value !== null
  return value.some((record) =>
    Object.entries(fields).some(([name, field]) => holdsSecretOf(field, record[name] ?? null)),
  )
}

const isClear = (url: string): boolean => url.startsWith('http://') && !isLoopback(new URL(url).hostname)

function isLoopback(host: string): boolean {
  const plain = host.replace(/^\[|\]$/g, '').toLowerCase()
  return plain === 'localhost' || plain === '::1' || (isIP(plain) === 4 && plain.startsWith('127.'))
}
