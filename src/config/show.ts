import { type Config, settings } from './schema.js'
import { mapRecords, raw, type Setting } from './setting.js'
import { at, nest } from './tree.js'

export const HIDDEN = '[hidden]'

/** The configuration as a file would write it (`30s`, `64MiB`), with every secret that is set replaced by `[hidden]`. */
export function showConfig(config: Config): Record<string, unknown> {
  return nest(
    [...settings].map(([key, setting]) => {
      return [key, shown(setting, at(config, key))]
    }),
  )
}

function shown(setting: Setting<unknown>, value: unknown): unknown {
  if (setting.sensitive && value !== null) return HIDDEN
  if (setting.format === 'records') return mapRecords(setting, value, shown)
  return withoutQuery(raw(setting, value))
}

/** The query of a URL may contain a key; the rest contains no secret (`exposure-rules.ts`). */
const withoutQuery = (value: unknown): unknown =>
  typeof value === 'string' ? value.replace(/^(https?:\/\/[^?#]*)[?#].*$/i, `$1?${HIDDEN}`) : value
