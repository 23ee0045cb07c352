import { type Problem, refuse } from './problem.js'
import { type Config, environmentName } from './schema.js'
import { at } from './tree.js'

/** Keys that have no default and that a command cannot do without. */
export const commandRequirements = {
  import: ['stream.brokers', 'stream.topic'],
  run: ['model.path', 'stream.brokers', 'stream.topic', 'checkpoint.dir'],
  gateway: ['gateway.upstreams', 'gateway.userSalt', 'stream.brokers', 'stream.topic'],
} as const

export type CommandWithRequirements = keyof typeof commandRequirements

/** `Config` in which the keys that the command requires, and the defaults derived from them, are not null. */
export type ConfigFor<Command extends CommandWithRequirements> = Config &
  Present<(typeof commandRequirements)[Command][number]> &
  Present<'stream.dlq'> &
  (Command extends 'run' ? Present<'adapters.dir'> : unknown)

/** @throws CONFIG_MISSING, naming every key that is missing and how to set it */
export function requireFor<Command extends CommandWithRequirements>(
  config: Config,
  command: Command,
): ConfigFor<Command> {
  refuse('CONFIG_MISSING', missingFor(config, command))
  return config as ConfigFor<Command>
}

/** What is missing for the command, without throwing. */
export function missingFor(config: Config, command: CommandWithRequirements): readonly Problem[] {
  const { mode, embedder } = config.ratio
  const endpoint = command === 'run' && mode !== 'off' && embedder === 'endpoint' ? ['embeddings.url'] : []
  return [...commandRequirements[command], ...endpoint]
    .filter((key) => isEmpty(at(config, key)))
    .map((key) => ({
      key,
      text: `required by bcod ${command}; set it in the file, with ${environmentName(key)} or --set ${key}=…`,
    }))
}

const isEmpty = (value: unknown): boolean => value === null || (Array.isArray(value) && value.length === 0)

type Present<Key extends string> = Intersection<
  Key extends `${infer Group}.${infer Name}`
    ? { readonly [G in Group]: { readonly [N in Name]: NonNullable<Value<Config, Group, Name>> } }
    : never
>

type Value<Tree, Group, Name> = Group extends keyof Tree ? Tree[Group][Name & keyof Tree[Group]] : never

type Intersection<Union> = (Union extends unknown ? (one: Union) => void : never) extends (all: infer All) => void
  ? All
  : never
