import { join } from 'node:path'
import { DirectoryFiles } from '../adapters/storage/directory-files.js'
import { referenceDirectory } from '../adapters/storage/held-versions.js'
import { loadConfig } from '../config/config.js'
import { BcodError } from '../errors.js'
import { keptExecution } from '../learner/execution/kept.js'
import { verifyLineage } from '../replay/verify.js'
import { openLearner } from './open-learner.js'
import { printJson, printTable, progress } from './print.js'
import type { ReplayFlags } from './replay.js'

/** `bcod replay --lineage`: the settings come from the line itself; only the model may be named anew. */
export async function replayLineage(flags: ReplayFlags & { readonly lineage: string }): Promise<void> {
  const summary = await verifyLineage({
    lineage: flags.lineage,
    out: flags.out,
    openLearner: async ({ config: made, modelPath, resolved }) => {
      const path = flags.model ?? modelPath
      if (path === null)
        throw new BcodError('CONFIG_MISSING', 'the line does not say where its model is', { place: '--model' })
      const tree = made as Readonly<Record<string, Readonly<Record<string, unknown>>>>
      const reference = await referenceDirectory(
        String(tree.model?.reference ?? 'base'),
        new DirectoryFiles(join(flags.lineage, '..', 'adapters')),
      )
      const defaults = { ...tree, model: { ...tree.model, reference, path } }
      const config = loadConfig({ defaults, env: {}, set: flags.set ?? [] })
      return openLearner({ ...config, model: { ...config.model, ...keptExecution(resolved), path } }, {})
    },
    ...(process.stderr.isTTY ? { progress: showProgress } : {}),
  })
  if (flags.json) return printJson({ ...summary, out: flags.out })
  printTable([
    ['steps', `${summary.steps}, each with the adapter of the journal`],
    ['events', String(summary.events)],
    ['adapter', `sha256 ${summary.adapter_sha256}`],
    ['seconds', summary.seconds.toFixed(1)],
  ])
}

function showProgress(step: number, total: number): void {
  progress('stderr', `step ${step} of ${total}`, step === total)
}
