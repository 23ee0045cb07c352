import type { Position } from './types.js'

/** `topic-partition-offset`: names a record for good, as the id of a bare row and of a dead letter. */
export const positionId = ({ topic, partition, offset }: Position): string => `${topic}-${partition}-${offset}`
