import { isDeepStrictEqual } from 'node:util'
import { takeRegistry } from '../adapters/storage/take-registry.js'
import { codedFailure } from '../checkpoint/failure.js'
import { takeFence } from '../checkpoint/fence.js'
import { hashJson, hashOlderTokenizer, hashTokenizer } from '../checkpoint/identity.js'
import { Journal } from '../checkpoint/journal.js'
import type { JsonValue } from '../checkpoint/json.js'
import type { Snapshot } from '../checkpoint/snapshot.js'
import type { Checkpoint, CheckpointStore } from '../checkpoint/store.js'
import type { Config } from '../config/config.js'
import { BcodError } from '../errors.js'
import { takeDirectory } from '../files/own-directory.js'
import { hashModelDirectory } from '../safetensors/model-identity.js'
import { learningConfig } from './learning-config.js'

export interface Recovered {
  readonly fence: number
  readonly checkpoint: Checkpoint | null
  readonly journal: Journal
  readonly identities: Snapshot['identities']
}

/**
 * Checks that this model and these settings may continue the lineage. Takes no fence and writes no checkpoint: a start
 * that must be refused leaves a healthy writer alone.
 *
 * @throws DIRECTORY_FOREIGN; CHECKPOINT_MODEL_MISMATCH if the newest checkpoint was made for another base or tokenizer;
 *   CHECKPOINT_SETTINGS_CHANGED; CHECKPOINT_*
 */
export async function inspectLineage(
  config: Config,
  modelPath: string,
  store: CheckpointStore,
  acceptOlder = false,
): Promise<Snapshot['identities']> {
  await takeDirectories(store.directory, config.adapters.dir)
  const identities = {
    base: await hashModelDirectory(modelPath),
    tokenizer: await hashTokenizer(modelPath),
    config: hashJson(learningConfig(config)),
  }
  await newest(store, modelPath, identities, config, acceptOlder)
  return identities
}

/**
 * Takes the fence, finds and verifies the newest checkpoint, and opens the journal at its mark.
 *
 * @throws what `inspectLineage` throws, and JOURNAL_*
 */
export async function recoverLineage(
  config: Config,
  modelPath: string,
  identities: Snapshot['identities'],
  store: CheckpointStore,
  acceptOlder = false,
): Promise<Recovered> {
  const fence = takeFence(store.directory)
  const checkpoint = await newest(store, modelPath, identities, config, acceptOlder)
  const journal = await Journal.open(store.directory, fence, checkpoint?.snapshot.journal ?? null)
  return { fence, checkpoint, journal, identities }
}

/** Empties a checkpoint that has been restored: the process keeps it as long as it runs, but needs no second copy. */
export function releaseState({ snapshot }: Checkpoint): void {
  const adapter = { ...snapshot.adapter, tensors: new Map() }
  Object.assign(snapshot, { pending: null, trainerState: new Map(), adapter } satisfies Partial<Snapshot>)
}

/** Before anything is read or written, so that a directory named by mistake stays as it is. */
async function takeDirectories(checkpoints: string, adapters: string | null): Promise<void> {
  try {
    takeDirectory(checkpoints, { mode: 0o700, besides: adapters === null ? [] : [adapters] })
  } catch (error) {
    throw codedFailure(error, 'cannot be taken', checkpoints)
  }
  if (adapters === null) return
  await takeRegistry(adapters, [checkpoints]).catch((error) => {
    // an unwritable registry is reported at each publication; training does not need it
    if (error instanceof BcodError) throw error
  })
}

async function newest(
  store: CheckpointStore,
  modelPath: string,
  identities: Snapshot['identities'],
  config: Config,
  acceptOlder: boolean,
): Promise<Checkpoint | null> {
  const checkpoint = await store.latest({ acceptOlder })
  if (checkpoint) await assertSameLineage(checkpoint, identities, modelPath, config)
  return checkpoint
}

/** Settings whose change would give the saved state another meaning. */
const FIXED = [
  'model.dtype',
  'model.reference',
  'model.chatTemplateKwargs',
  'model.chatTemplate',
  'lora',
  'bco.mode',
  'bco.beta',
  'bco.deltaHalfLife',
  'ratio.mode',
] as const

async function assertSameLineage(
  { snapshot, directory }: Checkpoint,
  identities: Snapshot['identities'],
  modelPath: string,
  config: Config,
): Promise<void> {
  for (const part of ['base', 'tokenizer'] as const) {
    const made = snapshot.identities[part]
    if (made === identities[part]) continue
    if (part === 'tokenizer' && made === (await hashOlderTokenizer(modelPath))) continue
    const message = `its ${part} has hash ${short(made)}, the model at hand ${short(identities[part])}`
    throw new BcodError('CHECKPOINT_MODEL_MISMATCH', message, { place: directory })
  }
  const made = (snapshot.extra as { readonly config?: JsonValue } | null)?.config
  if (made === undefined) return
  // checkpoints of older versions do not say how the text was rendered
  const isOlder = setting(made, 'model.chatTemplateKwargs') === undefined
  for (const key of FIXED) {
    if (isOlder && key.startsWith('model.chatTemplate')) continue
    const [then, now] = [setting(made, key), setting(learningConfig(config), key)]
    if (isDeepStrictEqual(then, now)) continue
    const message = `it was made with ${JSON.stringify(then)}, now it is ${JSON.stringify(now)}`
    throw new BcodError('CHECKPOINT_SETTINGS_CHANGED', message, { place: key })
  }
}

const setting = (tree: JsonValue, key: string): unknown =>
  key.split('.').reduce<unknown>((node, name) => (node as Record<string, unknown> | undefined)?.[name], tree)

const short = (hash: string | null) => (hash === null ? 'none' : hash.slice(0, 12))
