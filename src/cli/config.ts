import { Command } from 'commander'
import { stringify } from 'yaml'
import { loadConfig } from '../config/config.js'
import { type Explanation, explain } from '../config/explain.js'
import { jsonSchema } from '../config/json-schema.js'
import { showConfig } from '../config/show.js'
import { addConfigOptions, type ConfigFlags, sourcesOf } from './config-options.js'
import { print } from './print.js'

/** `bcod config show|schema|explain KEY` */
export function configCommand(): Command {
  const command = new Command('config').description('show, describe and explain the configuration')

  addConfigOptions(command.command('show'))
    .description('the resolved configuration, secrets masked')
    .option('--json', 'one JSON document instead of YAML')
    .action((flags: ConfigFlags & { json?: boolean }) => {
      const shown = showConfig(loadConfig(sourcesOf(flags)))
      print(flags.json ? JSON.stringify(shown) : stringify(shown).trimEnd())
    })

  command
    .command('schema')
    .description('JSON Schema of the configuration file')
    .option('--json', 'on one line')
    .action((flags: { json?: boolean }) => print(JSON.stringify(jsonSchema(), null, flags.json ? 0 : 2)))

  command
    .command('explain')
    .description("one key's meaning, default and variable, or those of a group")
    .argument('<key>', 'such as batch.maxLatency or stream.tls')
    .option('--json', 'one JSON document: an object for a key, a list for a group')
    .action((key: string, flags: { json?: boolean }) => {
      const found = explain(key)
      const isKey = found.length === 1 && found[0]!.key === key
      print(flags.json ? JSON.stringify(isKey ? found[0] : found) : found.map(paragraph).join('\n\n'))
    })

  return command
}

function paragraph({ key, doc, expects, default: fallback, env, sensitive }: Explanation): string {
  return [
    `${key}${sensitive ? ' (secret)' : ''}`,
    `  ${doc}`,
    `  takes     ${expects}`,
    `  default   ${JSON.stringify(fallback)}`,
    `  variable  ${env}`,
  ].join('\n')
}
