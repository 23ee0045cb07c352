import type { Move } from '../../adapters/moves/move.js'
import { resumableVersions, soundVersions } from '../../checkpoint/resumable.js'

import { BcodError } from '../../errors.js'

/** The versions among some that learning can go on from, or why nobody can say. */
export type Resumable =
  | { readonly versions: ReadonlySet<string>; readonly unknown: null }
  | { readonly versions: null; readonly unknown: string }

export const NO_CHECKPOINTS = 'name the configuration that has checkpoint.dir'

/** @param checkpoints  their directory; null if the configuration does not name one */
export async function resumableAmong(checkpoints: string | null, versions: readonly string[]): Promise<Resumable> {
  if (checkpoints === null) return { versions: null, unknown: NO_CHECKPOINTS }
  try {
    return { versions: await resumableVersions(checkpoints, versions), unknown: null }
  } catch (error) {
    if (!(error instanceof BcodError)) throw error
    return { versions: null, unknown: error.line }
  }
}

/** Null if nobody can say. */
export const isResumable = ({ versions }: Resumable, version: string): boolean | null => versions?.has(version) ?? null

/** How to go on after a rollback: only what is possible, and what to do about the rest. */
export function waysOn(move: Pick<Move, 'states' | 'aliases'>, resumable: Resumable): string {
  const { live } = move.aliases
  const { versions, unknown } = resumable
  const from = versions === null ? live : (soundVersions(move).find((version) => versions.has(version)) ?? null)
  const ways = [
    ...(from === null ? [] : [[`resume --from ${from}`, 'with what that version had learnt']]),
    ['resume --keep', 'with all that was learnt'],
  ] as const
  const width = Math.max(...ways.map(([command = '']) => command.length))
  return [
    'Nothing is published or learnt until you resume. Look for the cause first. Then go on:',
    ...ways.map(([command = '', with_]) => `  bcod adapters ${command.padEnd(width)}  ${with_}`),
    ...(unknown === null ? [] : [`Whether the checkpoint of ${live} is whole is not known: ${unknown}.`]),
    ...(versions === null || live === null || versions.has(live) ? [] : [notFrom(live)]),
  ].join('\n')
}

const notFrom = (version: string): string =>
  `Learning cannot go on from ${version} itself: no checkpoint of it is whole (bcod adapters show ${version}).
Put the checkpoint back from a backup, and --from ${version} is possible again.`
