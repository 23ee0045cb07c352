import type { ChildProcess } from 'node:child_process'

/**
 * Sends a signal to a child process, if it was started. One that could not be started has no number, and Node 20 would
 * send the signal to this process and its whole group.
 */
export function killChild(child: Pick<ChildProcess, 'kill' | 'pid'>, signal: NodeJS.Signals): void {
  if (child.pid !== undefined) child.kill(signal)
}
