/** Python's `strftime` in UTC and English, as far as chat templates use it. Other directives stay as they are. */
export function strftime(date: Date, format: string): string {
  return format.replace(/%[YymdbBaAHMS%]/g, (directive) => DIRECTIVES[directive]?.(date) ?? directive)
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
  '%H': (date) => two(date.getUTCHours()),
  '%M': (date) => two(date.getUTCMinutes()),
  '%S': (date) => two(date.getUTCSeconds()),
  '%%': () => '%',
}
