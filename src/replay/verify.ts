import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { adapterSha256 } from '../adapters/weights/adapter.js'
import { writeAdapter } from '../adapters/weights/peft.js'
import type { JournalEvent, JournalLine, JournalSettings } from '../checkpoint/journal.js'
import { journalPath } from '../checkpoint/journal.js'
import { readEmbedding } from '../checkpoint/journal-line.js'
import { readJournal } from '../checkpoint/journal-reader.js'
import type { Snapshot } from '../checkpoint/snapshot.js'
import { type Checkpoint, CheckpointStore } from '../checkpoint/store.js'
import { BcodError } from '../errors.js'
import type { TrainingEvent } from '../events/types.js'
import type { Learner } from '../learner/learner.js'
import { OutputDirectory } from './output.js'

export interface VerifyOptions {
  /** Directory of checkpoints. */
  readonly lineage: string
  readonly out: string
  /** A learner as that part of the line was made with: same settings, executor and threads. */
  readonly openLearner: (settings: JournalSettings) => Promise<Learner>
  readonly progress?: (step: number, total: number) => void
}

export interface VerifySummary {
  readonly steps: number
  readonly events: number
  /** Hash of the adapter that the replay arrived at: that of the newest checkpoint. */
  readonly adapter_sha256: string
  readonly seconds: number
}

/**
 * Trains every step of a chain of checkpoints again, from its initial adapter and its journal, and compares the hash of
 * the adapter after each. Writes OUT/steps.jsonl and OUT/adapter/.
 *
 * @throws LINEAGE_DIVERGED at the first step that gives another adapter, LINEAGE_EVENTS_MISSING where the journal keeps
 *   no tokens, OUTPUT_*, CHECKPOINT_*, JOURNAL_*
 */
export async function verifyLineage({ lineage, out, openLearner, progress }: VerifyOptions): Promise<VerifySummary> {
  const started = performance.now()
  const output = new OutputDirectory(out)
  try {
    const summary = await verify({ lineage, out: output.staging, openLearner, ...(progress && { progress }) })
    output.finish('steps.jsonl', 'adapter')
    return { ...summary, seconds: Math.round(performance.now() - started) / 1000 }
  } catch (error) {
    output.abandon()
    throw error
  }
}

async function verify({ lineage, out, openLearner, progress }: VerifyOptions): Promise<Omit<VerifySummary, 'seconds'>> {
  const store = new CheckpointStore(lineage)
  const last = await newest(store)
  const first = await store.load('step-00000000')
  let settings = settingsOf(first.snapshot)
  let learner = await openLearner(settings)
  try {
    learner.restore(first.snapshot.adapter, first.snapshot.trainerState)
    const lines: string[] = []
    let events = 0
    const { bytes } = last.snapshot.journal
    const kept = await statesToKeep(journalPath(lineage), bytes)
    kept.keep(0, learner)
    for await (const line of readJournal(journalPath(lineage), bytes)) {
      if (line.settings && !isDeepStrictEqual(line.settings, settings)) {
        const [adapter, state] = [learner.adapter(), learner.state()]
        learner.dispose()
        settings = line.settings
        learner = await openLearner(settings)
        learner.restore(adapter, state)
      }
      if (line.resumed) {
        const { adapter, state } = kept.of(line.resumed.from, lineage)
        learner.resume(adapter, state, line.step)
        if (learner.adapterSha256() !== line.adapter_sha256)
          throw diverged(line.step, `it goes on from step ${line.resumed.from}, which has another adapter`, lineage)
      } else {
        learner.limitBlocks(line.blockLimit ?? null)
        const outcome = learner.trainStep(line.events.map((event) => trainingEvent(event, line)))
        compare(line, outcome.applied, lineage)
      }
      kept.keep(line.step, learner)
      events += line.events.length
      lines.push(JSON.stringify({ step: line.step, events: line.events.length, adapter_sha256: line.adapter_sha256 }))
      progress?.(line.step, last.snapshot.step)
    }
    const sha256 = learner.adapterSha256()
    const expected = adapterSha256(last.snapshot.adapter.tensors)
    if (learner.step !== last.snapshot.step || sha256 !== expected)
      throw diverged(
        learner.step,
        `the journal ends at step ${learner.step} with ${short(sha256)}, ${last.ref.name} holds ${short(expected)}`,
        lineage,
      )
    writeFileSync(join(out, 'steps.jsonl'), lines.map((line) => `${line}\n`).join(''))
    writeAdapter(join(out, 'adapter'), learner.adapter())
    return { steps: learner.step, events, adapter_sha256: sha256 }
  } finally {
    learner.dispose()
  }
}

interface LearnerStates {
  readonly adapter: ReturnType<Learner['adapter']>
  readonly state: ReturnType<Learner['state']>
}

/** Keeps the learner's state at the steps that learning later goes on from. */
async function statesToKeep(path: string, bytes: number) {
  const wanted = new Set<number>()
  for await (const { resumed } of readJournal(path, bytes)) if (resumed) wanted.add(resumed.from)
  const states = new Map<number, LearnerStates>()
  return {
    keep(step: number, learner: Learner): void {
      if (wanted.has(step)) states.set(step, { adapter: learner.adapter(), state: learner.state() })
    },
    of(step: number, place: string): LearnerStates {
      const found = states.get(step)
      if (found) return found
      throw diverged(step, 'learning went on from it, and the journal does not have it', place)
    },
  }
}

/** What a checkpoint says of how it was made. */
function settingsOf({ extra, resolved }: Snapshot): JournalSettings {
  const { config, modelPath } = extra as unknown as Pick<JournalSettings, 'config' | 'modelPath'>
  return { config, modelPath, resolved: resolved as JournalSettings['resolved'] }
}

async function newest(store: CheckpointStore): Promise<Checkpoint> {
  const checkpoint = await store.latest()
  if (checkpoint) return checkpoint
  throw new BcodError('LINEAGE_MISSING', 'no checkpoints there', { place: store.directory })
}

function compare(line: JournalLine, applied: ReturnType<Learner['trainStep']>['applied'], place: string): void {
  if (applied === null) throw diverged(line.step, 'no event of it could be trained', place)
  if (applied.step !== line.step) throw diverged(line.step, `it came out as step ${applied.step}`, place)
  if (applied.adapterSha256 !== line.adapter_sha256)
    throw diverged(
      line.step,
      `adapter ${short(applied.adapterSha256)}, the journal says ${short(line.adapter_sha256)}; loss ${applied.loss} against ${line.loss}, δ ${applied.delta} against ${line.delta}`,
      place,
    )
}

const short = (hash: string) => hash.slice(0, 12)

const diverged = (step: number, message: string, place: string) =>
  new BcodError('LINEAGE_DIVERGED', message, { place: `${place} step ${step}` })

function trainingEvent(event: JournalEvent, line: JournalLine): TrainingEvent {
  const { topic, partition, offset, source, id, label, weight, prompt_tokens, completion_tokens } = event
  if (!prompt_tokens || !completion_tokens)
    throw new BcodError('LINEAGE_EVENTS_MISSING', 'the journal was kept without token ids', {
      place: `step ${line.step}`,
    })
  const position = { topic, partition, offset }
  const bare = { timestamp: 0, subject: null, user: null }
  return {
    position,
    source,
    id,
    label,
    weight,
    promptTokens: prompt_tokens,
    completionTokens: completion_tokens,
    ...(event.embedding === undefined ? {} : { promptEmbedding: readEmbedding(event.embedding) }),
    ...bare,
  }
}
