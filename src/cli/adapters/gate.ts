import type { Command } from 'commander'
import type { Registry } from '../../adapters/registry/registry.js'
import type { GateReport } from '../../adapters/versions/gate-report.js'
import { runGate } from '../../gate/gate.js'
import { readVersion } from '../../gate/read-version.js'
import { reportText } from '../../gate/report-text.js'
import { example, print, printJson } from '../print.js'
import { openRegistry, registryCommand } from './open-registry.js'
import { type GateFlags, withGate } from './with-gate.js'

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
    .action(async (name: string, flags: GateFlags) => {
      const { registry } = openRegistry(flags)
      const report = await gated(registry, await registry.resolve(name), flags)
      await registry.saveGateReport(report)
      if (flags.json) printJson(report)
      else print(reportText(report))
      if (report.outcome !== 'passed') process.exitCode = 1
    })
}

async function gated(registry: Registry, version: string, flags: GateFlags): Promise<GateReport> {
  const candidate = await readVersion(registry, version)
  const liveVersion = (await registry.current()).aliases.live
  const live = liveVersion === null ? null : await readVersion(registry, liveVersion)
  return withGate(flags, candidate, async (gate) => {
    const { signal } = new AbortController()
    return runGate(gate.checks, { candidate, live, model: gate.model.of(candidate, live, signal), signal })
  })
}
