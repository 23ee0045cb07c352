// Numbers and times as the page writes them. What is not known is a dash.

export const DASH = '–'

const grouped = new Intl.NumberFormat('en', { maximumFractionDigits: 0 })
const compact = new Intl.NumberFormat('en', { notation: 'compact', maximumSignificantDigits: 3 })
const minutes = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' })
const wholeTime = new Intl.DateTimeFormat(undefined, {
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  hourCycle: 'h23',
})

const known = (value) => typeof value === 'number' && Number.isFinite(value)
/** A hyphen is not a minus. */
const minus = (text) => text.replace('-', '−')

/** @param digits  after the point; whole numbers are grouped */
export function figure(value, digits = 0) {
  if (!known(value)) return DASH
  return minus(digits === 0 ? grouped.format(value) : value.toFixed(digits))
}

/** For axes: short. */
export const short = (value) => minus(compact.format(value))

/** @param seconds  since 1970 */
export const clock = (seconds, withSeconds = true) =>
  known(seconds) ? (withSeconds ? wholeTime : minutes).format(seconds * 1000) : DASH

/** `42 s`, `3 min`, `2 h 5 min` */
export function span(seconds) {
  if (!known(seconds)) return DASH
  const whole = Math.max(0, Math.round(seconds))
  if (whole < 60) return `${whole} s`
  if (whole < 3600) return `${Math.floor(whole / 60)} min`
  const rest = Math.floor((whole % 3600) / 60)
  return `${grouped.format(Math.floor(whole / 3600))} h${rest === 0 ? '' : ` ${rest} min`}`
}

/** Any value of /status in one line. */
export function plain(value) {
  if (value === null || value === undefined || value === '') return DASH
  if (typeof value === 'number')
    return Number.isInteger(value) ? String(value) : minus(String(Number(value.toPrecision(6))))
  if (Array.isArray(value)) return value.length === 0 ? DASH : value.map(plain).join(', ')
  if (typeof value !== 'object') return String(value)
  const entries = Object.entries(value)
  return entries.length === 0 ? DASH : entries.map(([key, child]) => `${key}: ${plain(child)}`).join(' · ')
}
