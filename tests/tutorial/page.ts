import { readFileSync } from 'node:fs'

export const PAGE = 'docs/tutorial-chat-ui.md'

/** A block of commands, as it stands on the page. */
export interface Commands {
  readonly kind: 'commands'
  readonly terminal: number
  /** It runs on while the reader goes on. */
  readonly staysOpen: boolean
  readonly script: string
}

/** What the commands before it must print; null if they only have to succeed. */
export interface Printed {
  readonly kind: 'printed'
  readonly text: string
}

/** Questions to ask in the chat page; their answers are voted down. */
export interface Asked {
  readonly kind: 'questions'
  readonly questions: readonly string[]
}

/** The same questions, once their answers are others. */
export interface AskedAgain {
  readonly kind: 'again'
  readonly questions: readonly string[]
}

/** Ctrl-C in these terminals. */
export interface Interrupted {
  readonly kind: 'interrupted'
  readonly terminals: readonly number[]
}

export type Step = Commands | Printed | Asked | AskedAgain | Interrupted

const STEP =
  /^```(sh|text)\n([\s\S]*?)^```|(?:^- `[^`]+`\n)+|^(Ask the four questions again)|^(Press Ctrl-C in the terminals [\d, and]+)/gm
const TERMINAL = /^# terminal (\d)(, stays open)?\n/

/** What a reader does, in the order of the page. */
export function stepsOf(text = readFileSync(PAGE, 'utf8')): readonly Step[] {
  let questions: readonly string[] = []
  return [...text.matchAll(STEP)].map(([whole, language, body, again, interrupted]): Step => {
    if (language === 'sh') {
      const [, terminal, staysOpen] = TERMINAL.exec(body!) ?? []
      if (terminal === undefined) throw new Error(`in no terminal:\n${body}`)
      return { kind: 'commands', terminal: Number(terminal), staysOpen: staysOpen !== undefined, script: body! }
    }
    if (language === 'text') return { kind: 'printed', text: body!.trim() }
    if (interrupted) return { kind: 'interrupted', terminals: [...interrupted.matchAll(/\d/g)].map(Number) }
    if (again) return { kind: 'again', questions }
    questions = [...whole.matchAll(/`([^`]+)`/g)].map((match) => match[1]!)
    return { kind: 'questions', questions }
  })
}

/** The ports of this machine that its addresses have. */
export const portsOf = (text: string): readonly number[] =>
  [...new Set([...text.matchAll(/(?:localhost|127\.0\.0\.1):(\d+)/g)].map(([, port]) => Number(port)))].sort()
