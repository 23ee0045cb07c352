import { parseStored } from './parse-stored.js'

/** What has become of a version. */
export const VERSION_STATES = ['candidate', 'refused', 'canary', 'live', 'retired', 'rolled_back'] as const
export type VersionState = (typeof VERSION_STATES)[number]

/** How often each source has voted, by label. */
export interface VoteCounts {
  readonly up: Readonly<Record<string, number>>
  readonly down: Readonly<Record<string, number>>
}

/** `bcod.json` of a version. Only `state` ever changes; the fields that an older bcod did not write are missing there. */
export interface VersionRecord {
  /** Directory name, `v` and the step in eight digits. */
  readonly version: string
  readonly step: number
  /** adapter_sha256 of the tensors. */
  readonly sha256: string
  /** Reward shift δ after the step. */
  readonly delta: number
  /** The version that was live when this one was added; null for the first. Its steps are those after the parent's. */
  readonly parent: string | null
  /** When it was added, RFC 3339. */
  readonly time: string
  /** As the log of moves has it. */
  readonly state?: VersionState
  /** Votes that have trained since the parent. */
  readonly votes?: VoteCounts
  /** Hash of the settings that decide what is learnt. */
  readonly config_sha256?: string | null
  /** The checkpoint that the adapter is from. */
  readonly checkpoint?: string | null
}

export const VERSION_INFO = 'bcod.json'

/** `bcod.json` as text. */
export const recordText = (record: VersionRecord): string => `${JSON.stringify(record, null, 2)}\n`

/** Null for what is no `bcod.json` of ours. */
export const parseRecord = (text: string | null): VersionRecord | null =>
  parseStored<VersionRecord>(text, (value) => 'sha256' in value)
