import { loadConfig } from '../../config/config.js'
import { BcodError } from '../../errors.js'
import { hashedUser } from '../../events/hashed-user.js'
import { DEFAULT_MAX_LINE_BYTES } from '../../events/jsonl.js'
import type { ChoiceOptions } from '../../import/events.js'
import type { Format, ReadOptions } from '../../import/format.js'
import { FORMATS } from '../../import/formats.js'
import { type ConfigFlags, sourcesOf } from '../config-options.js'

export interface ImportFlags extends ConfigFlags, ReadOptions {
  readonly from: string
  readonly file?: readonly string[]
  readonly url?: string
  readonly keyFile?: string
  readonly project?: string
  readonly follow?: boolean
  readonly every?: string
  readonly overlap?: string
  readonly out?: string
  readonly source?: string
  readonly since?: string
  readonly model?: readonly string[]
  readonly users: 'hash' | 'none'
  readonly withoutContext?: boolean
  readonly state?: string
  readonly complete?: boolean
  readonly json?: boolean
}

export const formatOf = ({ from }: ImportFlags): Format => FORMATS.find(({ name }) => name === from) as Format

/**
 * What the flags say of which votes are taken, and what becomes of their users.
 *
 * @throws USAGE
 */
export function choiceOf(flags: ImportFlags): ChoiceOptions {
  const { source, since, model, withoutContext = false, state, complete = false } = flags
  if (complete && state === undefined) throw usage('expected --state, which tells what was there before', '--complete')
  if (complete && since !== undefined) throw usage('not with --since: what is older would be taken back', '--complete')
  return {
    source: source ?? formatOf(flags).name,
    userOf: userOf(flags),
    // a topic's records are checked against limits.maxRecordBytes; a file's lines are not
    maxBytes: flags.out === undefined ? loadConfig(sourcesOf(flags)).limits.maxRecordBytes : DEFAULT_MAX_LINE_BYTES,
    ...(since !== undefined && { since: timeOf(since) }),
    ...(model !== undefined && { models: model }),
    ...{ withoutContext, complete },
  }
}

export const usage = (message: string, place: string): BcodError => new BcodError('USAGE', message, { place })

function timeOf(since: string): number {
  const time = Date.parse(since)
  if (Number.isNaN(time)) throw usage('expected a date or an RFC 3339 time', '--since')
  return time
}

/** @throws CONFIG_MISSING at the first user, so that files without users need no salt */
function userOf(flags: ImportFlags): (user: string) => string | null {
  if (flags.users === 'none') return () => null
  const salt = loadConfig(sourcesOf(flags)).gateway.userSalt
  return (user) => {
    if (salt !== null) return hashedUser(user, salt)
    throw new BcodError('CONFIG_MISSING', "users' ids are hashed with it, and there are users in the export", {
      place: 'gateway.userSalt',
      remedy:
        'Set BCOD_GATEWAY_USER_SALT to a random text and keep it (openssl rand -hex 32): another salt makes other users. Or leave users out with --users none.',
    })
  }
}
