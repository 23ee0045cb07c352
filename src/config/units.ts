/** Durations and byte sizes as people write them. */

export const DURATION_PATTERN = '^(0|[0-9]+(\\.[0-9]+)?(ms|s|m|h|d))$'
export const BYTES_PATTERN = '^[0-9]+(\\.[0-9]+)?(B|KB|MB|GB|TB|KiB|MiB|GiB|TiB)?$'

const MILLISECONDS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
}

const BYTES: Readonly<Record<string, number>> = {
  B: 1,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
}

/** `250ms`, `30s`, `15m`, `2h`, `1d`, or 0 → milliseconds, rounded; null if it is none of these. */
export function parseDuration(raw: unknown): number | null {
  if (raw === 0) return 0
  if (typeof raw !== 'string' || !new RegExp(DURATION_PATTERN).test(raw)) return null
  if (raw === '0') return 0
  const unit = raw.replace(/^[0-9.]+/, '')
  return wholeNumber(Number(raw.slice(0, -unit.length)) * MILLISECONDS[unit]!)
}

/** Milliseconds → the shortest writing that `parseDuration` reads back as the same number. */
export function formatDuration(milliseconds: number): string {
  if (milliseconds === 0) return '0'
  const unit = ['d', 'h', 'm', 's'].find((name) => milliseconds % MILLISECONDS[name]! === 0) ?? 'ms'
  return `${milliseconds / MILLISECONDS[unit]!}${unit}`
}

/** `1048576`, `64MiB`, `10MB` → bytes, rounded; null if it is none of these. */
export function parseBytes(raw: unknown): number | null {
  if (typeof raw === 'number') return Number.isSafeInteger(raw) && raw >= 0 ? raw : null
  if (typeof raw !== 'string' || !new RegExp(BYTES_PATTERN).test(raw)) return null
  const unit = raw.replace(/^[0-9.]+/, '')
  const amount = Number(unit === '' ? raw : raw.slice(0, -unit.length))
  return wholeNumber(amount * BYTES[unit === '' ? 'B' : unit]!)
}

/** Bytes → the shortest writing in binary units that `parseBytes` reads back as the same number. */
export function formatBytes(bytes: number): string {
  const unit = bytes === 0 ? undefined : ['TiB', 'GiB', 'MiB', 'KiB'].find((name) => bytes % BYTES[name]! === 0)
  return unit === undefined ? String(bytes) : `${bytes / BYTES[unit]!}${unit}`
}

function wholeNumber(value: number): number | null {
  const rounded = Math.round(value)
  return Number.isSafeInteger(rounded) ? rounded : null
}
