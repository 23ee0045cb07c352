import { mkdirSync } from 'node:fs'
import { takeFence } from '../checkpoint/fence.js'
import { hashJson, hashModelDirectory, hashTokenizer } from '../checkpoint/identity.js'
import { Journal } from '../checkpoint/journal.js'
import type { JsonValue } from '../checkpoint/json.js'
import type { Snapshot } from '../checkpoint/snapshot.js'
import type { Checkpoint, CheckpointStore } from '../checkpoint/store.js'
import type { Config } from '../config/config.js'
import { BcodError } from '../errors.js'

export interface Recovered {
  readonly fence: number
  readonly checkpoint: Checkpoint | null
  readonly journal: Journal
  readonly identities: Snapshot['identities']
}

/**
 * Takes the fence, finds the newest checkpoint, verifies it, and opens the journal at its mark.
 *
 * @throws CHECKPOINT_MODEL_MISMATCH where it was made for another base or tokenizer; CHECKPOINT_*, JOURNAL_*
 */
export async function recover(
  config: Config,
  modelPath: string,
  store: CheckpointStore,
  acceptOlder: boolean,
): Promise<Recovered> {
  mkdirSync(store.directory, { recursive: true, mode: 0o700 })
  const fence = takeFence(store.directory)
  const identities = {
    base: await hashModelDirectory(modelPath),
    tokenizer: await hashTokenizer(modelPath),
    config: hashJson(learningConfig(config)),
  }
  const checkpoint = await store.latest({ acceptOlder })
  if (checkpoint) {
    const made = checkpoint.snapshot.identities
    for (const part of ['base', 'tokenizer'] as const)
      if (made[part] !== identities[part])
        throw new BcodError(
          'CHECKPOINT_MODEL_MISMATCH',
          `its ${part} has hash ${short(made[part])}, the model at hand ${short(identities[part])}`,
          {
            place: checkpoint.directory,
          },
        )
  }
  const journal = await Journal.open(store.directory, fence, checkpoint?.snapshot.journal ?? null)
  return { fence, checkpoint, journal, identities }
}

const short = (hash: string | null) => (hash === null ? 'none' : hash.slice(0, 12))

/** The settings that decide what is learnt, without paths: what `identities.config` hashes and a replay needs again. */
export function learningConfig({ model, lora, bco, ratio, optimizer, batch, limits, seed }: Config): JsonValue {
  const settings = {
    model: { dtype: model.dtype, reference: model.reference },
    lora: { r: lora.r, alpha: lora.alpha, rslora: lora.rslora, targets: lora.targets },
    ...{ bco, ratio, optimizer, batch: { size: batch.size, tokens: batch.tokens }, seed },
    limits: { maxLength: limits.maxLength },
  }
  return JSON.parse(JSON.stringify(settings)) as JsonValue
}
