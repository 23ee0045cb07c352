import type { Command } from 'commander'

import { type Move, summaryOf } from '../../adapters/moves/move.js'
import { versionStep } from '../../adapters/versions/version.js'
import { soundVersions } from '../../checkpoint/resumable.js'

import { CheckpointStore } from '../../checkpoint/store.js'
import { BcodError } from '../../errors.js'
import { example, print, printJson, printTable } from '../print.js'
import {
  type LiveFlags,
  liveCommand,
  type MoveFlags,
  moveCommand,
  type OpenRegistry,
  openRegistry,
} from './open-registry.js'
import { resumableAmong, waysOn } from './resumable.js'

const RUNNING = 'A daemon on the same registry follows within seconds.'

const SERVED = `Every server of publish.targets loads the version first, lists it and answers under its name; if one fails, nothing moves.
${RUNNING}`

/** `bcod adapters promote V` */
export function promoteCommand(): Command {
  return liveCommand('promote')
    .description('make a version live')
    .argument('<version>', 'a version or an alias, such as candidate')
    .option('--force', 'although the gate has not passed it, or it was rolled back')
    .addHelpText('after', `\n${SERVED}\n${example('bcod adapters promote candidate --config bcod.yaml')}`)
    .action(async (name: string, flags: LiveFlags & { readonly force?: boolean }) => {
      const open = openRegistry(flags)
      const { registry } = open
      await told(await registry.promote(await registry.resolve(name), flags), open, flags)
    })
}

/** `bcod adapters rollback` */
export function rollbackCommand(): Command {
  return liveCommand('rollback')
    .description('go back to an older version, and stop publishing and learning')
    .option('--to <version>', 'which one; by default the previous one')
    .addHelpText(
      'after',
      `
Everything newer is marked and never becomes live by itself again. ${RUNNING}
Servers of publish.targets are asked to load the version first; one that fails is told of, and does not stop the rollback.
--to live only stops publishing and learning.
${example('bcod adapters rollback --config bcod.yaml', 'bcod adapters rollback --to v00000120 --config bcod.yaml')}`,
    )
    .action(async ({ to, ...flags }: LiveFlags & { readonly to?: string }) => {
      const open = openRegistry(flags)
      const { registry } = open
      const target = to === undefined ? null : await registry.resolve(to)
      await told(await registry.rollback({ to: target, ...flags }), open, flags)
    })
}

/** `bcod adapters pin V` */
export function pinCommand(): Command {
  return liveCommand('pin')
    .description('make a version live and keep it live, whatever is learnt')
    .argument('[version]', 'a version or an alias, such as live')
    .option('--force', 'although the gate has not passed it, or it was rolled back')
    .option('--off', 'let newer versions become live again')
    .addHelpText('after', `\n${SERVED}\n${example('bcod adapters pin live', 'bcod adapters pin --off')}`)
    .action(
      async (name: string | undefined, flags: LiveFlags & { readonly force?: boolean; readonly off?: boolean }) => {
        if ((name === undefined) === (flags.off === undefined))
          throw new BcodError('USAGE', 'expected a version, or --off', { place: 'pin' })
        const open = openRegistry(flags)
        const { registry } = open
        const pin = async () =>
          name === undefined ? registry.unpin(flags) : registry.pin(await registry.resolve(name), flags)
        await told(await pin(), open, flags)
      },
    )
}

/** `bcod adapters resume` */
export function resumeCommand(): Command {
  return moveCommand('resume')
    .description('after a rollback: publish and learn again')
    .option('--from <version>', 'from what that version had learnt: what came after it is abandoned')
    .option('--keep', 'with all that was learnt: the next version comes from the weights of now')
    .addHelpText(
      'after',
      `
--from takes up weights, moments, δ and prompt classifier as they were. Votes that trained since do not train again.
${RUNNING}
${example('bcod adapters resume --from live --config bcod.yaml', 'bcod adapters resume --keep --config bcod.yaml')}`,
    )
    .action(async ({ from, ...flags }: MoveFlags & { readonly keep?: boolean; readonly from?: string }) => {
      if ((flags.keep === true) === (from !== undefined))
        throw new BcodError('USAGE', 'expected either --from or --keep', { place: 'resume' })
      const open = openRegistry(flags)
      await told(await (from === undefined ? open.registry.resume(flags) : resumeFrom(from, open, flags)), open, flags)
    })
}

/** @throws USAGE, ADAPTER_UNKNOWN, ADAPTER_NOT_RESUMABLE; nothing has moved then */
async function resumeFrom(name: string, { registry, checkpoints }: OpenRegistry, flags: MoveFlags): Promise<Move> {
  if (checkpoints === null)
    throw new BcodError('USAGE', 'nothing says where the checkpoints are', {
      ...{ place: '--from', remedy: 'Name the configuration that has checkpoint.dir with --config FILE.' },
    })
  const version = await registry.resolve(name)
  await new CheckpointStore(checkpoints).wholeOfStep(versionStep(version) ?? -1)
  return registry.resumeFrom(version, flags)
}

/** Says what holds after a move, and how to go on if nothing is learnt. */
async function told(move: Move, { checkpoints }: OpenRegistry, { json }: MoveFlags): Promise<void> {
  const summary = summaryOf(move)
  const stands = summary.frozen && summary.resume_from === undefined
  const sound = soundVersions(move)
  const resumable = stands ? await resumableAmong(checkpoints, sound) : null
  if (json) {
    const { versions = null } = resumable ?? {}
    const named = resumable && { resumable: versions && sound.filter((version) => versions.has(version)) }
    printJson({ ...summary, ...named })
    return
  }
  printTable([
    ['live', summary.live ?? 'none'],
    ['previous', summary.previous ?? 'none'],
    ...(summary.pinned === null ? [] : [['pinned', summary.pinned] as const]),
    ['generation', String(summary.generation)],
  ])
  if (summary.resume_from !== undefined) print(`the daemon goes on from ${summary.resume_from} at its next look`)
  if (resumable !== null) print(`\n${waysOn(move, resumable)}`)
}
