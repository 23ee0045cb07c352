import { isDeepStrictEqual } from 'node:util'
import type { Alias, Move } from './move.js'
import type { RegistryFiles } from './registry-files.js'
import { servedName, versionStep } from './version.js'
import { parseRecord, recordText, VERSION_INFO, type VersionRecord, type VersionState } from './version-record.js'

/** Aliases that are also links beside the versions. */
const LINKS = ['live', 'previous', 'canary'] as const satisfies readonly Alias[]

/** What routers read: which version answers which share of the users. */
export const ROUTING = 'routing.json'

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
  const wanted = routing(move, name ?? written?.name ?? 'bcod')
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

/** `routing.json`: arms with their share of the users, and the salt of the hash that gives each user an arm. */
interface Routing {
  /** The move that it was written after. */
  readonly generation: number
  /** Servers know a version as `<name>-v00001234`. */
  readonly name: string
  /** `model`: the name under which servers know the version. The shares add up to 1. */
  readonly arms: readonly {
    readonly name: string
    readonly version: string
    readonly model: string
    readonly share: number
  }[]
  readonly salt: string
}

/** Every user is in the one arm there is. */
function routing({ generation, aliases: { live }, salt }: Move, name: string): Routing {
  const arms = live === null ? [] : [{ name: 'live', version: live, model: servedName(name, live), share: 1 }]
  return { generation, name, arms, salt }
}

function parseRouting(text: string | null): Partial<Routing> | null {
  try {
    return JSON.parse(text ?? 'null') as Partial<Routing> | null
  } catch {
    return null
  }
}

/** Whether routers need to know nothing new. */
const isSame = (written: Partial<Routing> | null, wanted: Routing): boolean =>
  isDeepStrictEqual({ ...written, generation: 0 }, { ...wanted, generation: 0 })
