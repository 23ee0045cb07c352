import { lookup } from 'node:dns/promises'
import { isIP } from 'node:net'
import { servedName as nameOf, versionStep } from '../adapters/versions/version.js'
import { BcodError } from '../errors.js'
import type { ModelServer } from './model-server.js'
import type { Endpoint } from './request.js'
import { sglang } from './sglang.js'
import { vllm } from './vllm.js'

/** An entry of `publish.targets`. */
export interface Target {
  readonly kind: 'directory' | 'vllm' | 'sglang'
  /** Base URL of each replica. */
  readonly urls: readonly string[]
  /** One base URL whose host name has an address for each replica. */
  readonly dns: string | null
  /** Versions are served as `<name>-v00001234`. */
  readonly name: string
  readonly apiKey: string | null
  /** The registry as the servers see it; null: as bcod does. */
  readonly path: string | null
}

/** One server that loads versions. */
export interface Replica {
  /** Host and port, which tell replicas apart in metrics and logs. */
  readonly id: string
  readonly target: Target
  readonly server: ModelServer
  readonly endpoint: Endpoint
}

export interface ReplicaOptions {
  /** Bearer token for targets that have none of their own. */
  readonly apiKey: string | null
  /** Milliseconds that one request may take. */
  readonly timeout: number
  /** Every address of a host name. @default as the system resolves it */
  readonly addressesOf?: (host: string) => Promise<readonly string[]>
}

/** The name under which servers of a target know a version. */
export const servedName = ({ name }: Pick<Target, 'name'>, version: string): string => nameOf(name, version)

/** The version that a target's name stands for; null if it is none of that target's. */
export function versionOf({ name }: Pick<Target, 'name'>, served: string): string | null {
  const version = served.startsWith(`${name}-`) ? served.slice(name.length + 1) : ''
  return versionStep(version) === null ? null : version
}

/** The servers that there are now, and the names that led to none. */
export interface Found {
  readonly replicas: readonly Replica[]
  /** SERVING_NO_REPLICA of each target whose name has no address. */
  readonly errors: readonly unknown[]
}

/** Finds all replicas. Names are resolved anew at each call, so replicas may come and go. */
export async function findReplicas(targets: readonly Target[], options: ReplicaOptions): Promise<Found> {
  const servers = targets.filter(({ kind }) => kind !== 'directory')
  const found = await Promise.allSettled(servers.map((target) => ofTarget(target, options)))
  return {
    replicas: found.flatMap((each) => (each.status === 'fulfilled' ? each.value : [])),
    errors: found.flatMap((each) => (each.status === 'rejected' ? [each.reason as unknown] : [])),
  }
}

/**
 * The versions that servers have loaded now.
 *
 * @throws SERVING_UNREACHABLE, SERVING_UNAUTHORIZED, SERVING_ANSWER, SERVING_NO_REPLICA: what a server that cannot be
 *   asked has loaded is not known
 */
export async function loadedVersions(targets: readonly Target[], options: ReplicaOptions): Promise<readonly string[]> {
  const { replicas, errors } = await findReplicas(targets, options)
  if (errors.length > 0) throw errors[0]
  const listed = await Promise.all(
    replicas.map(async ({ server, target }) => {
      const { adapters } = await server.models()
      return [...adapters.keys()].flatMap((name) => versionOf(target, name) ?? [])
    }),
  )
  return [...new Set(listed.flat())].sort()
}

async function ofTarget(target: Target, options: ReplicaOptions): Promise<readonly Replica[]> {
  if (target.dns === null) return target.urls.map((url) => replica(target, url, null, options))
  const addresses = await addressesOf(target.dns, options)
  return addresses.map((address) => replica(target, target.dns as string, address, options))
}

async function addressesOf(url: string, { addressesOf: resolve = systemAddresses }: ReplicaOptions) {
  const host = new URL(url).hostname
  const failed = (cause?: unknown) =>
    new BcodError('SERVING_NO_REPLICA', `${host} has no address`, { place: url, cause })
  const addresses = await resolve(host).catch((error: unknown) => {
    throw failed(error)
  })
  if (addresses.length === 0) throw failed()
  return [...new Set(addresses)].sort()
}

const systemAddresses = async (host: string) => (await lookup(host, { all: true })).map(({ address }) => address)

const DRIVERS = { vllm, sglang } as const

function replica(target: Target, given: string, address: string | null, options: ReplicaOptions): Replica {
  const url = given.replace(/\/+$/, '')
  const { host, port } = new URL(url)
  const id = address === null ? host : `${isIP(address) === 6 ? `[${address}]` : address}${port && `:${port}`}`
  const { kind } = target
  if (kind === 'directory') throw new BcodError('INTERNAL', 'a directory is no server')
  const place = address === null ? url : `${url} at ${id}`
  const endpoint = { url, place, address, apiKey: target.apiKey ?? options.apiKey, timeout: options.timeout }
  return { id, target, endpoint, server: DRIVERS[kind](endpoint) }
}
