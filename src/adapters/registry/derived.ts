import { isDeepStrictEqual } from 'node:util'
import type { Alias, Move } from '../moves/move.js'
import type { RegistryFiles } from '../storage/registry-files.js'
import { versionStep } from '../versions/version.js'
import {
  parseRecord,
  recordText,
  VERSION_INFO,
  type VersionRecord,
  type VersionState,
} from '../versions/version-record.js'
import { DEFAULT_NAME, parseRouting, ROUTING, type Routing, routingOf } from './routing.js'

/** Aliases that are also links beside the versions. */
const LINKS = ['live', 'previous', 'canary'] as const satisfies readonly Alias[]

/** `bcod.json` of a version; null if there is none of ours. */
export const readRecord = async (files: RegistryFiles, version: string): Promise<VersionRecord | null> =>
  parseRecord(await files.read(`${version}/${VERSION_INFO}`))

/** Names of all versions that are whole. */
async function wholeVersions(files: RegistryFiles): Promise<readonly string[]> {
  const names = (await files.names('.')).filter((name) => versionStep(name) !== null)
  const records = await Promise.all(names.map((version) => readRecord(files, version)))
  return names.filter((_, i) => records[i] !== null)
}

/** What holds in a registry without moves, which an older bcod has written: generation 0 is what its link says. */
export async function adopted(files: RegistryFiles, salt: string): Promise<Move> {
  const live = await files.link('live')
  const states: [string, VersionState][] = []
  for (const version of await wholeVersions(files)) {
    const state = (await readRecord(files, version))?.state ?? 'retired'
    if (version === live) states.push([version, 'live'])
    // a candidate without a move was not added completely; what was live is not
    else if (state !== 'candidate') states.push([version, state === 'live' ? 'retired' : state])
  }
  return {
    generation: 0,
    ...{ time: new Date(0).toISOString(), by: 'bcod', cause: 'added', salt },
    aliases: { candidate: null, canary: null, live, previous: null },
    ...{ pinned: null, frozen: false, states: Object.fromEntries(states) },
  }
}

/**
 * Brings links, states and `routing.json` to what a move says; what is right already stays untouched.
 *
 * @param known    an earlier move that the states are known to follow: those that it has alike are not read
 * @param name     servers know a version as `<name>-v00001234`; null: as `routing.json` has it
 * @param onStage  called after each stage has taken effect
 * @throws ADAPTER_DISK_FULL, ADAPTER_IO
 */
export async function repair(
  files: RegistryFiles,
  move: Move,
  { known, name }: { readonly known: Move | null; readonly name: string | null },
  onStage: (stage: string) => void,
): Promise<void> {
  for (const link of LINKS) {
    const version = move.aliases[link]
    if ((await files.link(link)) !== version) await files.setLink(link, version)
  }
  const written = parseRouting(await files.read(ROUTING))
  const wanted = routingOf(move, name ?? written?.name ?? DEFAULT_NAME)
  if (!isSame(written, wanted)) {
    await files.replace(ROUTING, `${JSON.stringify(wanted, null, 2)}\n`)
    onStage('routing written')
  }
  let changed = false
  for (const [version, state] of Object.entries(move.states)) {
    if (known?.states[version] === state) continue
    const record = await readRecord(files, version)
    if (record === null || record.state === state) continue
    await files.replace(`${version}/${VERSION_INFO}`, recordText({ ...record, state }))
    changed = true
  }
  if (changed) onStage('states written')
}

/** Whether routers need to know nothing new. */
const isSame = (written: Partial<Routing> | null, wanted: Routing): boolean =>
  isDeepStrictEqual({ ...written, generation: 0 }, { ...wanted, generation: 0 })
