/** How a process ended: with a code, or by a signal. */
export interface ProcessEnd {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

/** What the signals mean that nobody sends to stop a program, and where to look. */
const SIGNALS: Partial<Record<NodeJS.Signals, string>> = {
  SIGSEGV: 'native code crashed; the last lines of its log have NATIVE_DEATH with the place',
  SIGBUS: 'native code crashed: a mapped file was cut short, or memory is damaged',
  SIGILL: 'native code crashed: it was built for another processor',
  SIGFPE: 'native code crashed: it divided by zero',
  SIGABRT: 'native code gave up; the last lines of its log say why',
  SIGKILL: 'killed from outside; where nobody did, memory ran out: see `dmesg` and memory limits',
}

/** How a process ended, in words: the exit code, or the signal and what it means. */
export function endText({ code, signal }: ProcessEnd): string {
  if (signal === null) return `ended with exit code ${code}`
  const meaning = SIGNALS[signal]
  return `was ended by ${signal}${meaning === undefined ? '' : ` (${meaning})`}`
}
