import type { Command } from 'commander'
import type { GateReport } from '../../adapters/gate-report.js'
import type { Registry } from '../../adapters/registry.js'
import { runGate } from '../../gate/gate.js'
import type { LearnerCall } from '../../gate/learner-model.js'
import { givenFor, openGate } from '../../gate/open-gate.js'
import { readVersion } from '../../gate/read-version.js'
import { reportText } from '../../gate/report-text.js'
import { eventModel } from '../event-model.js'
import { type ConfigWithModel, learnerConfig } from '../learner-config.js'
import { openLearner } from '../open-learner.js'
import { example, print, printJson } from '../print.js'
import { openRegistry, type RegistryFlags, registryCommand } from './open-registry.js'

/** `bcod adapters gate V` */
export function gateCommand(): Command {
  return registryCommand('gate')
    .description('run the gate on a version, and keep the report in its folder')
    .argument('<version>', 'a version or an alias, such as candidate')
    .option('--model <dir>', 'model directory in Hugging Face layout (model.path)')
    .addHelpText(
      'after',
      `
Needs no daemon, and takes the CPU and memory of a learner. Nothing moves: promote makes a version live that has passed.
What your own programs write to standard error is shown. The exit code is 0 only if the version has passed.
${example('bcod adapters gate candidate --config bcod.yaml', 'bcod adapters gate v00000120 --config bcod.yaml --json')}`,
    )
    .action(async (name: string, flags: RegistryFlags & { readonly model?: string }) => {
      const { registry } = openRegistry(flags)
      const report = await gated(registry, await registry.resolve(name), flags)
      await registry.saveGateReport(report)
      if (flags.json) printJson(report)
      else print(reportText(report))
      if (report.outcome !== 'passed') process.exitCode = 1
    })
}

async function gated(registry: Registry, version: string, flags: RegistryFlags): Promise<GateReport> {
  const candidate = await readVersion(registry, version)
  const liveVersion = (await registry.current()).aliases.live
  const live = liveVersion === null ? null : await readVersion(registry, liveVersion)
  const { r, alpha, rslora, targets } = candidate.adapter
  const config = learnerConfig(flags, { lora: { r, alpha, rslora, targets } })
  const model = await eventModel(config)
  const learner = await openLearner(measuring(config), { training: false, given: givenFor(config) })
  try {
    const call: LearnerCall = (name, ...args) => {
      const method = learner[name] as (...given: typeof args) => ReturnType<(typeof learner)[typeof name]>
      return method.apply(learner, args)
    }
    const gate = await openGate({
      ...{ config, text: model.text, checkpoints: config.checkpoint.dir, showErrors: true },
      learner: { call, info: model },
    })
    const { signal } = new AbortController()
    return await runGate(gate.checks, { candidate, live, model: gate.model.of(candidate, live, signal), signal })
  } finally {
    learner.dispose()
    model.text?.close()
  }
}

/** The gate measures from the base, whatever rewards are measured from. */
const measuring = (config: ConfigWithModel): ConfigWithModel => ({
  ...config,
  model: { ...config.model, reference: 'base' },
  lora: { ...config.lora, init: null },
})
