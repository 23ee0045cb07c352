import { join } from 'node:path'
import convict from 'convict'
import { readConfigFile } from './file.js'
import { accepts, coerce, expectation, FORMAT_NAMES } from './formats.js'
import { refuse, wrongValue } from './problem.js'
import { contradictions } from './rules.js'
import { type Config, environmentName, settings } from './schema.js'
import { parsed, type Setting } from './setting.js'
import { fromEnvironment, fromFile, fromFlags, fromTree, type Given } from './sources.js'
import { deepFreeze, nest } from './tree.js'

export type { Config } from './schema.js'

/** Where values come from; each source wins over the ones above it. */
export interface ConfigSources {
  /** A command's own defaults, nested and written as in a file: `{ stream: { holdBack: 0 } }`. */
  readonly defaults?: Readonly<Record<string, unknown>>
  /** Path of a YAML or JSON file. */
  readonly file?: string | undefined
  /** Default: `process.env`. */
  readonly env?: NodeJS.ProcessEnv
  /** `key=value`, as given with `--set`. */
  readonly set?: readonly string[] | undefined
}

/**
 * The resolved, checked, frozen configuration.
 *
 * @throws CONFIG_UNREADABLE, CONFIG_UNKNOWN_KEY, CONFIG_INVALID; each names the key and where its value came from
 */
export function loadConfig(sources: ConfigSources = {}): Config {
  const below = [
    ...fromTree(sources.defaults ?? {}, () => 'default of this command'),
    ...(sources.file === undefined ? [] : fromFile(readConfigFile(sources.file))),
  ]
  const environment = fromEnvironment(sources.env ?? process.env)
  const flags = fromFlags(sources.set ?? [])

  const variables = Object.fromEntries(environment.map(({ origin, value }) => [origin, String(value)]))
  const values = convict<Record<string, unknown>>(convictSchema, { env: variables, args: [] })
  for (const { key, value } of below) values.set(key, value)
  values.load({}) // convict lays the environment over what was set
  for (const { key, value } of flags) values.set(key, value)

  const origins = new Map([...below, ...environment, ...flags].map(({ key, origin }: Given) => [key, origin]))
  const problems = [...settings]
    .filter(([key, setting]) => !accepts(setting, values.get(key)))
    .map(([key, setting]) => wrongValue(key, setting, values.get(key), origins.get(key) ?? 'default'))
  refuse('CONFIG_INVALID', problems)
  values.validate({ allowed: 'strict' })

  const config = derive(
    nest([...settings].map(([key, setting]) => [key, parsed(setting, values.get(key))])),
    sources.env ?? process.env,
  )
  refuse('CONFIG_INVALID', contradictions(config))
  return deepFreeze(config)
}

/** Fills in the defaults that follow from other keys, and those that programs of S3 share. */
function derive(values: Record<string, unknown>, env: NodeJS.ProcessEnv): Config {
  const config = values as unknown as Config
  const { topic, dlq } = config.stream
  const { dir } = config.checkpoint
  const { adapters } = config
  return {
    ...config,
    stream: { ...config.stream, dlq: dlq ?? (topic === null ? null : `${topic}.dlq`) },
    adapters: {
      ...adapters,
      dir: adapters.dir ?? (dir === null ? null : join(dir, '..', 'adapters')),
      s3: adapters.store === null ? adapters.s3 : sharedDefaults(adapters.s3, env),
    },
  }
}

/** A key and its session belong together: those of the environment are taken whole. */
function sharedDefaults(s3: Config['adapters']['s3'], env: NodeJS.ProcessEnv): Config['adapters']['s3'] {
  const given = (name: string) => env[name] || null
  const region = s3.region ?? given('AWS_REGION') ?? given('AWS_DEFAULT_REGION') ?? 'us-east-1'
  if (s3.accessKeyId !== null) return { ...s3, region }
  return {
    ...s3,
    region,
    accessKeyId: given('AWS_ACCESS_KEY_ID'),
    secretAccessKey: s3.secretAccessKey ?? given('AWS_SECRET_ACCESS_KEY'),
    sessionToken: s3.sessionToken ?? given('AWS_SESSION_TOKEN'),
  }
}

for (const format of FORMAT_NAMES) {
  convict.addFormat({
    name: format,
    coerce: (value: string) => coerce(format, value),
    validate: (value: unknown, node) => {
      const { setting } = node as unknown as { setting: Setting<unknown> }
      if (!accepts(setting, value)) throw new Error(`expected ${expectation(setting)}`)
    },
  })
}

const convictSchema = nest(
  [...settings].map(([key, setting]) => [
    key,
    {
      doc: setting.doc,
      default: setting.fallback,
      format: setting.format,
      nullable: setting.nullable,
      sensitive: setting.sensitive,
      env: environmentName(key),
      setting,
    },
  ]),
) as convict.Schema<Record<string, unknown>>
