/**
 * Python's `strftime` in UTC and English, as far as chat templates use it; `%-d` is `%d` without its leading zeros.
 * Other directives stay as they are.
 */
export function strftime(date: Date, format: string): string {
  return format.replace(/%(-?)([a-zA-Z%])/g, (directive, dash: string, letter: string) => {
    const written = DIRECTIVES[`%${letter}`]?.(date)
    if (written === undefined) return directive
    return dash === '' ? written : written.replace(/^0+(?=\d)/, '')
  })
}

const two = (value: number): string => String(value).padStart(2, '0')

const named = (options: Intl.DateTimeFormatOptions): ((date: Date) => string) => {
  const format = new Intl.DateTimeFormat('en-US', { ...options, timeZone: 'UTC' })
  return (date) => format.format(date)
}

const DIRECTIVES: Readonly<Record<string, (date: Date) => string>> = {
  '%Y': (date) => String(date.getUTCFullYear()),
  '%y': (date) => two(date.getUTCFullYear() % 100),
  '%m': (date) => two(date.getUTCMonth() + 1),
  '%d': (date) => two(date.getUTCDate()),
  '%b': named({ month: 'short' }),
  '%B': named({ month: 'long' }),
  '%a': named({ weekday: 'short' }),
  '%A': named({ weekday: 'long' }),
  '%e': (date) => String(date.getUTCDate()).padStart(2),
  '%j': (date) => String(dayOfYear(date)).padStart(3, '0'),
  '%H': (date) => two(date.getUTCHours()),
  '%I': (date) => two(date.getUTCHours() % 12 || 12),
  '%p': (date) => (date.getUTCHours() < 12 ? 'AM' : 'PM'),
  '%M': (date) => two(date.getUTCMinutes()),
  '%S': (date) => two(date.getUTCSeconds()),
  '%F': (date) => strftime(date, '%Y-%m-%d'),
  '%T': (date) => strftime(date, '%H:%M:%S'),
  '%%': () => '%',
}

const DAY = 86_400_000
const dayOfYear = (date: Date): number => Math.floor((date.getTime() - Date.UTC(date.getUTCFullYear(), 0)) / DAY) + 1
