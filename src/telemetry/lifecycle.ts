/** What the daemon is doing as a whole; also the `state` label of bcod_lifecycle_state. */
export const LIFECYCLE_STATES = [
  'starting',
  'loading',
  'joining',
  'standby',
  'running',
  'paused',
  'draining',
  'stopped',
  'failed',
] as const

export type LifecycleState = (typeof LIFECYCLE_STATES)[number]
