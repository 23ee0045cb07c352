/**
 * The text process. Templates and tokenizers are programs and patterns of other people, run on other people's text:
 * where one never ends, or takes all memory, this process is ended and the daemon goes on.
 */
import { createContext, Script } from 'node:vm'
import { BcodError } from '../errors.js'
import { serializeError } from '../serialized-error.js'
import { describeText, type TextCalls, textCalls } from './text-calls.js'
import { loadTextModel, type TextOptions } from './text-model.js'
import type { TextReply, TextRequest } from './text-process.js'

let calls: TextCalls | null = null

process.title = 'bcod text'
// a terminal sends these to all processes of a command: the one that started this one decides
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined)
process.on('disconnect', () => process.exit())
process.on('message', ({ name, args, orphanMs }: TextRequest) => {
  process.send?.(within(orphanMs, () => answer(name, args)))
})

function answer(name: TextRequest['name'], args: readonly unknown[]): TextReply {
  try {
    if (name === 'load') return { value: load(String(args[0]), args[1] as TextOptions) }
    if (!calls) throw new BcodError('INTERNAL', 'no text model is loaded')
    return { value: (calls[name] as (...args: readonly unknown[]) => unknown)(...args) }
  } catch (error) {
    return { error: serializeError(withoutWords(error), 'text process') }
  }
}

function load(modelDir: string, options: TextOptions) {
  const text = loadTextModel(modelDir, options)
  if (text === null) return null
  calls = textCalls(text)
  return describeText(text)
}

/** The message of an error without a code may quote what was worked on. */
function withoutWords(error: unknown): unknown {
  if (error instanceof BcodError || !(error instanceof Error)) return error
  const trace = error.stack?.split('\n').filter((line) => /^\s+at /.test(line)) ?? []
  return new BcodError('INTERNAL', [error.name, ...trace].join('\n'), { place: 'text process' })
}

const sandbox: { run?: () => unknown } = {}
const context = createContext(sandbox)
const script = new Script('run()')

/** Ends this process where the call takes that long: whoever asked ends it long before, unless it is itself no more. */
function within<T>(ms: number, run: () => T): T {
  sandbox.run = run
  try {
    return script.runInContext(context, { timeout: ms }) as T
  } catch {
    process.exit(1)
  }
}
