import { CheckpointStore } from '../checkpoint/store.js'
import type { Config } from '../config/config.js'
import type { HeldOutVote } from '../events/types.js'
import { type HeldOutState, HeldOutVotes } from '../streams/held-out-votes.js'

/**
 * The held-out votes of the newest checkpoint, for a gate without a daemon.
 *
 * @param directory  of the checkpoints
 * @param maxLength  longest event that the model takes, in tokens
 * @throws CHECKPOINT_DAMAGED, CHECKPOINT_VERSION, CHECKPOINT_IO
 */
export async function checkpointedVotes(
  directory: string,
  { holdOutKeep: perLabel, holdOutAge: maxAge }: Pick<Config['eval'], 'holdOutKeep' | 'holdOutAge'>,
  maxLength: number,
): Promise<readonly HeldOutVote[]> {
  const checkpoint = await new CheckpointStore(directory).latest()
  const state = checkpoint?.snapshot.pending as { readonly heldOut?: HeldOutState } | null | undefined
  const votes = new HeldOutVotes({ perLabel, maxAge })
  if (state?.heldOut) votes.restore(state.heldOut)
  votes.dropWhere(({ promptTokens, completionTokens }) => promptTokens.length + completionTokens.length > maxLength)
  return votes.recent(Date.now())
}
