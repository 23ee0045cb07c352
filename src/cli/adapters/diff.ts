import type { Command } from 'commander'
import type { ComparedVersions, Registry } from '../../adapters/registry/registry.js'
import type { ModuleDifference } from '../../adapters/weights/diff.js'
import { loadConfig } from '../../config/config.js'
import type { Comparison } from '../../gate/comparison.js'
import { readVersion } from '../../gate/read-version.js'
import { sourcesOf } from '../config-options.js'
import { example, figure, print, printJson, printRows } from '../print.js'
import { openRegistry, registryCommand } from './open-registry.js'
import { type GateFlags, withGate } from './with-gate.js'

/** As many modules are shown as fit on a screen. */
const MOST_MODULES = 14

interface DiffFlags extends GateFlags {
  readonly weights?: boolean
}

/** `bcod adapters diff A B` */
export function diffCommand(): Command {
  return registryCommand('diff')
    .description('how far two versions are apart: their weights, margins on the probes, and answers')
    .argument('<a>', 'a version or an alias')
    .argument('<b>', 'a version or an alias')
    .option('--model <dir>', 'model directory in Hugging Face layout (model.path)')
    .option('--weights', 'compare the weights alone, which needs no model')
    .addHelpText(
      'after',
      `
Weights: Frobenius norms of what an adapter adds. Margins: the mean over the pairs of each file of gate.probes. Answers:
the likeliest ones to the first prompts of gate.golden, or if that is empty to the first of each probe file. Both need a model, and the CPU and memory of a learner.
${example('bcod adapters diff previous live --config bcod.yaml')}`,
    )
    .action(async (a: string, b: string, flags: DiffFlags) => {
      const { registry } = openRegistry(flags)
      const weights = await registry.compare(a, b)
      const hasModel = (flags.model ?? loadConfig(sourcesOf(flags)).model.path) !== null
      const said = hasModel && !flags.weights ? await compared(registry, weights.versions, flags) : null
      if (flags.json) return printJson({ ...weights, ...said })
      printWeights(weights)
      if (said !== null) printComparison(said, weights.versions)
      else if (!hasModel) print('\nno model is named: with --config or --model margins and answers are compared too')
    })
}

async function compared(registry: Registry, [a, b]: ComparedVersions['versions'], flags: DiffFlags) {
  const [one, other] = [await readVersion(registry, a), await readVersion(registry, b)]
  return withGate(flags, { ...other, answers: true }, (gate) => gate.compare(one, other, new AbortController().signal))
}

function printWeights({ versions, modules, total }: ComparedVersions): void {
  const row = (name: string, each: Omit<ModuleDifference, 'module'>) => [
    ...[name, figure(each.a), figure(each.b), figure(each.difference)],
    each.a > 0 ? `${((100 * each.difference) / each.a).toFixed(1)} %` : '–',
  ]
  const most = [...modules].sort((a, b) => b.difference - a.difference).slice(0, MOST_MODULES)
  printRows([
    ['module', versions[0], versions[1], 'difference', `of ${versions[0]}`],
    ...modules.filter((each) => most.includes(each)).map((each) => row(each.module, each)),
    row(`all ${modules.length}`, total),
  ])
  if (most.length < modules.length) print(`Shown are the ${MOST_MODULES} modules that differ most; --json has all.`)
}

function printComparison({ margins, answers }: Comparison, [a, b]: ComparedVersions['versions']): void {
  print('')
  printRows(
    [
      ['margin on', a, b, 'difference', '95 %'],
      ...margins.map((each) => [
        ...[each.probe, figure(each.a), figure(each.b), figure(each.difference)],
        each.detail === null ? `${figure(each.low)} to ${figure(each.high)}` : '',
      ]),
    ],
    [null, ...margins.map(({ detail }) => detail)],
  )
  for (const answer of answers ?? [])
    print(`\n${answer.prompt}\n${a}: ${answer.a}\n${b}: ${answer.a === answer.b ? 'the same' : answer.b}`)
}
