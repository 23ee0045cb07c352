import { type Config, settings } from './schema.js'
import { raw } from './setting.js'
import { at, nest } from './tree.js'

export const HIDDEN = '[hidden]'

/** The configuration as a file would write it (`30s`, `64MiB`), with every secret that is set replaced by `[hidden]`. */
export function showConfig(config: Config): Record<string, unknown> {
  return nest(
    [...settings].map(([key, setting]) => {
      const value = at(config, key)
      return [key, setting.sensitive && value !== null ? HIDDEN : withoutQuery(raw(setting, value))]
    }),
  )
}

/** The query of a URL may contain a key; the rest contains no secret (`exposure-rules.ts`). */
const withoutQuery = (value: unknown): unknown =>
  typeof value === 'string' ? value.replace(/^(https?:\/\/[^?#]*)[?#].*$/i, `$1?${HIDDEN}`) : value
