import { copyFileSync, existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Command } from 'commander'
import { ADAPTER_CONFIG, ADAPTER_MODEL } from '../../adapters/weights/peft.js'
import { OutputDirectory } from '../../replay/output.js'
import { integerFrom } from '../numbers.js'
import { example, print, printJson } from '../print.js'
import { openRegistry, type RegistryFlags, registryCommand } from './open-registry.js'

/** `bcod adapters export V --out DIR` */
export function exportCommand(): Command {
  return registryCommand('export')
    .description('copy a version out of the registry, as PEFT and model servers load it')
    .argument('<version>', 'a version or an alias, such as live')
    .requiredOption('--out <dir>', 'a new or empty directory')
    .addHelpText('after', example('bcod adapters export live --out ./adapter --config bcod.yaml'))
    .action(async (name: string, flags: RegistryFlags & { readonly out: string }) => {
      const { registry } = openRegistry(flags)
      const version = await registry.resolve(name)
      const from = await registry.files.local(version)
      const files = [...(await registry.files.names(version))].sort((a, b) => order(a) - order(b))
      const out = new OutputDirectory(flags.out)
      try {
        for (const file of files) {
          const [there, here] = [join(from, file), join(out.staging, file)]
          if (existsSync(there)) copyFileSync(there, here)
          else writeFileSync(here, (await registry.files.read(`${version}/${file}`)) ?? '')
        }
        out.finish(...files)
      } catch (error) {
        out.abandon()
        throw error
      }
      if (flags.json) return printJson({ version, out: flags.out, files })
      print(`${version} is in ${flags.out}`)
    })
}

/** What makes a directory an adapter comes last. */
const order = (file: string): number => [ADAPTER_CONFIG, ADAPTER_MODEL].indexOf(file)

interface GcFlags extends RegistryFlags {
  readonly keep?: number
  readonly loaded?: readonly string[]
  readonly dryRun?: boolean
}

/** `bcod adapters gc` */
export function gcCommand(): Command {
  return registryCommand('gc')
    .description('remove the oldest versions, but never one that an alias, a pin or a server holds')
    .option('--keep <n>', 'how many of the newest stay; by default adapters.keep', integerFrom(1))
    .option(
      '--loaded <version>',
      'a version that a server still has; repeatable. Servers of publish.targets are asked',
      (value: string, before: readonly string[] = []) => [...before, value],
    )
    .option('--dry-run', 'only say what would go')
    .addHelpText('after', example('bcod adapters gc --dry-run --config bcod.yaml'))
    .action(async ({ loaded = [], dryRun = false, ...flags }: GcFlags) => {
      const { registry, keep, loaded: servers } = openRegistry(flags)
      const held = [...loaded, ...(await servers())]
      const gone = await registry.gc(flags.keep ?? keep, { loaded: held, dryRun })
      if (flags.json) return printJson({ removed: gone, dry_run: dryRun })
      const verb = dryRun ? 'would go' : gone.length === 1 ? 'is gone' : 'are gone'
      print(gone.length === 0 ? 'nothing to remove' : `${gone.join(', ')} ${verb}`)
    })
}
