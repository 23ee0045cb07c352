import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { loadConfig } from '../../../src/config/config.js'
import { type ConfigFor, requireFor } from '../../../src/config/requirements.js'
import { environmentName, settings } from '../../../src/config/schema.js'
import { type Container, daemonOf, type Manifest, type Volume } from '../manifest.js'
import { type Check, when } from './check.js'

/**
 * What the daemon would run with: the file that its arguments name, under the variables of its container. The
 * secrets behind variables are optional: it must start either without them or with them.
 *
 * @throws what `loadConfig` throws, and where the file cannot be found
 */
export function configOf(manifests: readonly Manifest[]): ConfigFor<'run'> {
  const { containers, volumes = [] } = daemonOf(manifests)!.spec.template.spec
  const [container] = containers as [Container]
  const directory = mkdtempSync(join(tmpdir(), 'bcod-manifest-'))
  try {
    const file = join(directory, 'bcod.yaml')
    writeFileSync(file, configFile(container, volumes, manifests))
    const { env = [] } = container
    const written = env.flatMap(({ name, value, valueFrom }) => {
      const text = valueFrom?.fieldRef?.fieldPath === 'status.podIP' ? '10.0.0.6' : value
      return text === undefined ? [] : [[name, text] as const]
    })
    const fromSecrets = env.flatMap(({ name, valueFrom }) =>
      valueFrom?.secretKeyRef ? [[name, 'a secret that is long enough'] as const] : [],
    )
    const load = (variables: typeof written) =>
      requireFor(loadConfig({ file, env: Object.fromEntries(variables) }), 'run')
    try {
      return load(written)
    } catch (refusal) {
      try {
        return load([...written, ...fromSecrets])
      } catch {
        throw refusal
      }
    }
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

/** The text of the file after `--config`, by way of mount, volume and ConfigMap. */
export function configFile(
  { args = [], volumeMounts = [] }: Container,
  volumes: readonly Volume[],
  all: readonly Manifest[],
) {
  const path = args[args.indexOf('--config') + 1] ?? ''
  const mount = volumeMounts.find(({ mountPath }) => mountPath === dirname(path))
  const name = volumes.find((volume) => volume.name === mount?.name)?.configMap?.name
  const map = all.find(({ kind, metadata }) => kind === 'ConfigMap' && metadata.name === name)
  const text = map?.data?.[path.slice(dirname(path).length + 1)]
  if (text === undefined) throw new Error(`no ConfigMap holds ${path}`)
  return text
}

export const configuration: Check = {
  name: 'the configuration is one that `bcod run` takes',
  findings: (manifests) => {
    const daemon = daemonOf(manifests)
    if (!daemon) return []
    try {
      const { server, model } = configOf(manifests)
      const cpu = daemon.spec.template.spec.containers[0]?.resources?.limits?.cpu
      return [
        ...when(server.host !== '0.0.0.0', `server.host is ${server.host}: no probe reaches it`),
        ...when(String(model.threads) !== cpu, `model.threads is ${model.threads}, the container's cpu limit ${cpu}`),
      ]
    } catch (error) {
      return [(error as Error).message]
    }
  },
}

const OTHERS = new Set(['NVIDIA_DRIVER_CAPABILITIES', 'LOG_DIR', 'KAFKA_HEAP_OPTS'])

export const variables: Check = {
  name: 'variables are ones that bcod, or the image beside it, knows',
  findings: (manifests) => {
    const known = new Set([...settings.keys()].map(environmentName))
    const pod = daemonOf(manifests)?.spec.template.spec
    const names = [...(pod?.initContainers ?? []), ...(pod?.containers ?? [])].flatMap(({ env = [] }) => env)
    return names.filter(({ name }) => !known.has(name) && !OTHERS.has(name)).map(({ name }) => `${name} is no variable`)
  },
}

export const secrets: Check = {
  name: 'secrets are named and never written down',
  findings: (manifests) => {
    const sensitive = [...settings].filter(([, setting]) => setting.sensitive).map(([key]) => environmentName(key))
    const written = manifests.flatMap(({ kind, data, metadata }) =>
      kind === 'ConfigMap'
        ? Object.values(data ?? {}).flatMap((text) =>
            [...text.matchAll(/^\s*(password|token|adminToken|secret|apiKey):\s*\S/gim)].map(
              ([line]) => `${metadata.name} holds ${line.trim().split(':')[0]}`,
            ),
          )
        : [],
    )
    const containers = manifests.flatMap((manifest) => {
      const pod = daemonOf([manifest])?.spec.template.spec
      return [...(pod?.initContainers ?? []), ...(pod?.containers ?? [])]
    })
    const spoken = containers.flatMap(({ env = [] }) =>
      env
        .filter(({ name, value }) => value !== undefined && (sensitive.includes(name) || /PASSWORD|TOKEN$/.test(name)))
        .map(({ name }) => `${name} has its value in the manifest`),
    )
    const objects = manifests.filter(({ kind }) => kind === 'Secret').map(({ metadata }) => `Secret ${metadata.name}`)
    return [...objects, ...written, ...spoken]
  },
}
