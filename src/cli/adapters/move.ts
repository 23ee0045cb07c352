import type { Command } from 'commander'
import { type Move, summaryOf } from '../../adapters/move.js'
import { BcodError } from '../../errors.js'
import { example, print, printJson, printTable } from '../print.js'
import { type LiveFlags, liveCommand, type MoveFlags, moveCommand, openRegistry } from './open-registry.js'

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
      const { registry } = openRegistry(flags)
      told(await registry.promote(await registry.resolve(name), flags), flags)
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
      const { registry } = openRegistry(flags)
      told(await registry.rollback({ to: to === undefined ? null : await registry.resolve(to), ...flags }), flags)
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
        const { registry } = openRegistry(flags)
        const pin = async () =>
          name === undefined ? registry.unpin(flags) : registry.pin(await registry.resolve(name), flags)
        told(await pin(), flags)
      },
    )
}

/** `bcod adapters resume` */
export function resumeCommand(): Command {
  return moveCommand('resume')
    .description('after a rollback: publish and learn again')
    .option('--keep', 'with all that was learnt: the next version comes from the weights of now')
    .addHelpText('after', `\n${RUNNING}\n${example('bcod adapters resume --keep --config bcod.yaml')}`)
    .action(async (flags: MoveFlags & { readonly keep?: boolean }) => {
      if (!flags.keep) throw new BcodError('USAGE', 'expected --keep', { place: 'resume' })
      told(await openRegistry(flags).registry.resume(flags), flags)
    })
}

/** Says what holds after a move. */
function told(move: Move, { json }: MoveFlags): void {
  const summary = summaryOf(move)
  if (json) {
    printJson(summary)
    return
  }
  printTable([
    ['live', summary.live ?? 'none'],
    ['previous', summary.previous ?? 'none'],
    ...(summary.pinned === null ? [] : [['pinned', summary.pinned] as const]),
    ['generation', String(summary.generation)],
  ])
  if (summary.frozen)
    print('nothing is published or learnt: look for the cause, then bcod adapters resume --keep goes on')
}
