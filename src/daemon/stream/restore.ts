import type { Snapshot } from '../../checkpoint/snapshot.js'
import type { DropReason, Position, TrainingEvent } from '../../events/types.js'
import { sourceRule } from '../../streams/sources.js'
import type { StreamSnapshot, StreamState } from './stream-state.js'

export interface RestoreOptions {
  /** `limits.sources` as it is now. */
  readonly sources: readonly string[]
  /** Longest event of the learner as it is now, in tokens. */
  readonly maxLength: number
  readonly drop: (position: Position, reason: DropReason) => void
}

/**
 * Restores the stream's state from a checkpoint. Votes that wait there and may not train by the present settings are
 * dropped: those longer than `maxLength`, and those from a source that is no longer allowed. Held-out votes that are too
 * long are forgotten.
 */
export function restoreStream(
  state: StreamState,
  snapshot: Snapshot,
  { sources, maxLength, drop }: RestoreOptions,
): void {
  const stream = snapshot.pending as StreamSnapshot
  state.restore(stream, snapshot)
  const allows = sourceRule(sources)
  const isRefused = ({ source }: { readonly source: string }) => !allows(source)
  state.held.dropWhere(isRefused, 'source_refused')
  for (const { position } of state.texts.dropWhere(isRefused)) drop(position, 'source_refused')
  const isLong = ({ promptTokens, completionTokens }: Pick<TrainingEvent, 'promptTokens' | 'completionTokens'>) =>
    promptTokens.length + completionTokens.length > maxLength
  const dropped = stream.batcher.events.filter((event) => isRefused(event) || isLong(event))
  state.heldOut.dropWhere(isLong)
  state.batcher.remove(dropped)
  for (const event of dropped) drop(event.position, isRefused(event) ? 'source_refused' : 'completion_too_long')
}
