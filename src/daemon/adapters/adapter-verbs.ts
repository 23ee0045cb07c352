import { summaryOf } from '../../adapters/moves/move.js'
import type { Registry } from '../../adapters/registry/registry.js'
import type { GateReport } from '../../adapters/versions/gate-report.js'
import { versionStep } from '../../adapters/versions/version.js'
import { knownResumable, resumability, resumeOffer } from '../../checkpoint/resumable.js'
import type { CheckpointStore } from '../../checkpoint/store.js'

import { BcodError } from '../../errors.js'
import type { Comparison } from '../../gate/comparison.js'
import { Accepted, type AdminVerb } from '../../server/admin.js'

export interface AdapterVerbsParts {
  readonly registry: Registry
  /** How many versions stay. */
  readonly keep: number
  /** Versions that the servers of `publish.targets` may still read. */
  readonly served: () => readonly string[]
  /** Gates a version; null if that takes longer than a caller waits. */
  readonly gate: (version: string) => Promise<GateReport | null>
  /** Asks two versions the gate's questions, as far as there is time; null without a learner. */
  readonly compare: (a: string, b: string) => Promise<Comparison | null>
  /** What learning can go on from. */
  readonly checkpoints: Pick<CheckpointStore, 'directory' | 'wholeOfStep'>
  /** Called after each move. */
  readonly moved: () => Promise<void>
}

/** Fields of a request's body by their types; a field that is not given is undefined. */
interface Fields {
  readonly version: string
  readonly other: string
  readonly to: string
  readonly from: string
  readonly force: boolean
  readonly keep: boolean
  readonly off: boolean
  readonly weights: boolean
  readonly dry_run: boolean
  readonly generation: number
  readonly loaded: readonly string[]
}

/**
 * The commands `bcod adapters …` as `POST /v1/admin/adapters/…`; arguments and options are fields of the body. `export`
 * is not among them: it would write wherever the token's holder says.
 */
export function adapterVerbs({
  registry,
  keep,
  served,
  gate,
  compare,
  checkpoints,
  moved,
}: AdapterVerbsParts): Readonly<Record<string, AdminVerb>> {
  const move = async (moving: ReturnType<Registry['resume']>) => {
    const made = await moving
    await moved()
    const stands = made.frozen && !made.resumeFrom
    return { ...summaryOf(made), ...(stands && { resumable: await resumeOffer(checkpoints.directory, made) }) }
  }
  return {
    'adapters/list': async (body) => {
      fieldsOf(body)
      const versions = await registry.list()
      const named = versions.map(({ version }) => version)
      const resumable = await knownResumable(checkpoints.directory, named)
      const marked = versions.map((each) => ({ ...each, resumable: resumable?.has(each.version) ?? null }))
      return { ...summaryOf(await registry.current()), versions: marked }
    },
    'adapters/show': async (body) => {
      const { version = missing('version') } = fieldsOf(body, 'version')
      const shown = await registry.show(version)
      return { ...shown, ...(await resumability(checkpoints, shown.version)) }
    },
    'adapters/diff': async (body) => {
      const fields = fieldsOf(body, 'version', 'other', 'weights')
      const { version = missing('version'), other = missing('other'), weights: onlyWeights = false } = fields
      const weights = await registry.compare(version, other)
      return { ...weights, ...(onlyWeights ? null : await compare(...weights.versions)) }
    },
    'adapters/gate': async (body) => {
      const { version: name = missing('version') } = fieldsOf(body, 'version')
      const version = await registry.resolve(name)
      return (await gate(version)) ?? new Accepted({ version, report: 'adapters/show' })
    },
    'adapters/promote': async (body) => {
      const { version = missing('version'), ...rest } = fieldsOf(body, 'version', 'force', 'generation')
      return move(registry.promote(await registry.resolve(version), rest))
    },
    'adapters/rollback': async (body) => {
      const { to, ...rest } = fieldsOf(body, 'to', 'generation')
      return move(registry.rollback({ to: to === undefined ? null : await registry.resolve(to), ...rest }))
    },
    'adapters/pin': async (body) => {
      const { version, off = false, ...rest } = fieldsOf(body, 'version', 'force', 'off', 'generation')
      if (off && version === undefined) return move(registry.unpin(rest))
      if (off || version === undefined) throw invalid('expected version, or off: true')
      return move(registry.pin(await registry.resolve(version), rest))
    },
    'adapters/resume': async (body) => {
      const { keep: isKept, from, ...rest } = fieldsOf(body, 'keep', 'from', 'generation')
      if ((isKept === true) === (from !== undefined)) throw invalid('expected keep: true, or from')
      if (from === undefined) return move(registry.resume(rest))
      const version = await registry.resolve(from)
      await checkpoints.wholeOfStep(versionStep(version) ?? -1)
      return move(registry.resumeFrom(version, rest))
    },
    'adapters/gc': async (body) => {
      const { dry_run: dryRun = false, loaded = [] } = fieldsOf(body, 'dry_run', 'loaded')
      const removed = await registry.gc(keep, { dryRun, loaded: [...loaded, ...served()] })
      await moved()
      return { removed, dry_run: dryRun }
    },
  }
}

const KINDS: Readonly<Record<keyof Fields, (value: unknown) => boolean>> = {
  version: (value) => typeof value === 'string',
  other: (value) => typeof value === 'string',
  to: (value) => typeof value === 'string',
  from: (value) => typeof value === 'string',
  force: (value) => typeof value === 'boolean',
  keep: (value) => typeof value === 'boolean',
  off: (value) => typeof value === 'boolean',
  weights: (value) => typeof value === 'boolean',
  dry_run: (value) => typeof value === 'boolean',
  generation: Number.isSafeInteger,
  loaded: (value) => Array.isArray(value) && value.every((each) => typeof each === 'string'),
}

/** @throws USAGE for a field that is unknown or of another type */
function fieldsOf<Name extends keyof Fields>(body: unknown, ...names: readonly Name[]): Partial<Pick<Fields, Name>> {
  if (body === null) return {}
  if (typeof body !== 'object' || Array.isArray(body)) throw invalid('the body is not a JSON object')
  for (const [name, value] of Object.entries(body)) {
    if (!(names as readonly string[]).includes(name)) throw invalid(`unknown field ${JSON.stringify(name)}`)
    if (!KINDS[name as Name](value)) throw invalid(`${name} has the wrong type`)
  }
  return body
}

const missing = (name: string): never => {
  throw invalid(`expected ${name}`)
}

const invalid = (message: string) =>
  new BcodError('USAGE', message, { remedy: 'See docs/adapters.md for the fields of each verb.' })
