import type { Command } from 'commander'
import type { ListedVersion } from '../../adapters/registry/registry-reader.js'
import type { CanaryReport } from '../../adapters/versions/canary-report.js'
import type { CheckResult } from '../../adapters/versions/gate-report.js'
import type { VoteCounts } from '../../adapters/versions/version-record.js'
import { resumability } from '../../checkpoint/resumable.js'
import { CheckpointStore } from '../../checkpoint/store.js'

import { example, figure, print, printJson, printRows, printTable } from '../print.js'
import { openRegistry, type RegistryFlags, registryCommand } from './open-registry.js'
import { isResumable, NO_CHECKPOINTS, resumableAmong, waysOn } from './resumable.js'

/** `bcod adapters list` */
export function listCommand(): Command {
  return registryCommand('list')
    .description('every version, oldest first')
    .addHelpText('after', example('bcod adapters list --config bcod.yaml'))
    .action(async (flags: RegistryFlags) => {
      const { registry, checkpoints } = openRegistry(flags)
      const versions = await registry.list()
      const named = versions.map(({ version }) => version)
      const resumable = await resumableAmong(checkpoints, named)
      const is = ({ version }: ListedVersion) => isResumable(resumable, version)
      if (flags.json) return printJson(versions.map((each) => ({ ...each, resumable: is(each) })))
      if (versions.length === 0) return print('no versions')
      printRows([
        ['version', 'state', 'aliases', 'gate', 'resume', 'up/down', 'added (UTC)'],
        ...versions.map((version) => [
          ...[version.version, version.state, names(version), version.gate ?? '–', yesOrNo(is(version))],
          ...[`${total(version.votes, 'up')}/${total(version.votes, 'down')}`, minute(version.time)],
        ]),
      ])
      const current = await registry.current()
      const { frozen, pinned, resumeFrom } = current
      if (resumeFrom)
        print(`\nthe daemon is to go on from ${resumeFrom.version}: until then nothing is published or learnt`)
      else if (frozen) print(`\n${waysOn(current, resumable)}`)
      else if (resumable.unknown !== null) print(`\nresume is not known: ${resumable.unknown}`)
      if (pinned !== null) print(`\nlive stays at ${pinned} until bcod adapters pin --off`)
    })
}

/** `bcod adapters show V` */
export function showCommand(): Command {
  return registryCommand('show')
    .description('where one version comes from, and what the gate and its canary users said of it')
    .argument('<version>', 'a version, or an alias such as live')
    .addHelpText('after', example('bcod adapters show live --config bcod.yaml'))
    .action(async (name: string, flags: RegistryFlags) => {
      const { registry, checkpoints } = openRegistry(flags)
      const shown = await registry.show(name)
      const whole =
        checkpoints === null
          ? { resumable: null, resumable_problem: NO_CHECKPOINTS }
          : await resumability(new CheckpointStore(checkpoints), shown.version)
      if (flags.json) return printJson({ ...shown, ...whole })
      const { gate, canary, ...version } = shown
      printTable([
        ...[
          ['version', version.version] as const,
          ['state', version.state] as const,
          ['aliases', names(version)] as const,
        ],
        ['parent', version.parent ?? '–'],
        ['steps', version.steps.join(' to ')],
        ['checkpoint', version.checkpoint ?? '–'],
        [
          'resume',
          [yesOrNo(whole.resumable), ...(whole.resumable_problem === null ? [] : [whole.resumable_problem])].join(': '),
        ],
        ['δ', figure(version.delta)],
        ...votesBySource(version.votes),
        ...[['added', version.time] as const, ['sha256', version.sha256] as const],
        ['config sha256', version.config_sha256 ?? '–'],
        ['gate', gate?.outcome ?? 'no report'],
        ...(canary === null ? [] : canaryRows(canary)),
      ])
      if (!gate?.checks) return
      print('')
      const details = gate.checks.map(({ detail }) => detail)
      printRows([['', 'check', 'value', '95 %', 'bound'], ...gate.checks.map(checkRow)], [null, ...details])
    })
}

const yesOrNo = (is: boolean | null): string => (is === null ? '–' : is ? 'yes' : 'no')

/** Of an RFC 3339 time in UTC. */
const minute = (time: string): string => time.slice(0, 16).replace('T', ' ')

const names = ({ aliases, pinned }: Pick<ListedVersion, 'aliases' | 'pinned'>): string =>
  [...aliases, ...(pinned ? ['pinned'] : [])].join(', ') || '–'

const total = (votes: VoteCounts | undefined, label: 'up' | 'down'): string =>
  votes === undefined ? '–' : String(Object.values(votes[label]).reduce((sum, count) => sum + count, 0))

function votesBySource(votes: VoteCounts | undefined): readonly (readonly [string, string])[] {
  if (votes === undefined) return [['votes', '–']]
  const sources = [...new Set([...Object.keys(votes.up), ...Object.keys(votes.down)])].sort()
  const rows = sources.map(
    (source) => [`votes of ${source}`, `${votes.up[source] ?? 0} up, ${votes.down[source] ?? 0} down`] as const,
  )
  return [['votes', `${total(votes, 'up')} up, ${total(votes, 'down')} down`], ...rows]
}

/** What users have said of it while it was the canary. */
function canaryRows(report: CanaryReport): readonly (readonly [string, string])[] {
  const { outcome, against, canary, live, difference, low, high, margin, looks } = report
  const arm = ({ votes, users, up_ratio }: CanaryReport['live']) =>
    `${figure(up_ratio)} thumbs-up of ${votes} votes of ${users} users`
  const interval = difference === null ? 'too few users' : `${figure(difference)} (${figure(low)} to ${figure(high)})`
  return [
    ['canary', `${outcome}, from ${report.started} on, ${looks} looks`],
    ['its votes', arm(canary)],
    [`of ${against}`, arm(live)],
    ['difference', `${interval}; margin ${figure(margin)}`],
  ]
}

function checkRow({ name, outcome, value, low, high, bound }: CheckResult): readonly string[] {
  const interval = low === null && high === null ? '' : `${figure(low)} to ${figure(high)}`
  return [outcome, name, figure(value), interval, figure(bound)]
}
