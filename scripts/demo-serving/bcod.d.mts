import type { GuardedProcess } from '../../src/demo/kafka/guarded-process.js'

/** `bcod run` or `bcod gateway` with its file of examples/chat, settings by key, and secrets of its own. */
export function startBcod(
  command: 'run' | 'gateway',
  settings: Readonly<Record<string, unknown>>,
  logFile: string,
): GuardedProcess
/** Fails if the process ends. @param port  of its probes */
export function untilReady(child: GuardedProcess, port: number, signal?: AbortSignal): Promise<void>
