import { type DestinationStream, destination, type Logger, pino, stdTimeFunctions } from 'pino'
import { printable } from '../printable.js'
import { VERSION } from './version.js'

export type { Logger } from 'pino'

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent'

/**
 * JSON lines on stderr, written before the call returns, so that a crash loses none. Nobody passes user text; what comes
 * from model files, brokers and file names cannot move a terminal: pino escapes C0 alone.
 */
export function createLogger(
  level: LogLevel,
  stream: DestinationStream = destination({ dest: 2, sync: true }),
): Logger {
  return pino(
    {
      level,
      base: { service: 'bcod', version: VERSION, pid: process.pid },
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    { write: (line: string) => stream.write(printable(line)) },
  )
}
