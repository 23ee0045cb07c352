export interface Instruction {
  readonly name: string
  readonly text: string
}

export interface Stage {
  /** The image it starts from, its arguments filled in. */
  readonly from: string
  readonly name: string | null
  readonly instructions: readonly Instruction[]
}

/** The stages of a Containerfile, and the arguments before the first. */
export function parseContainerfile(source: string): {
  readonly args: ReadonlyMap<string, string>
  readonly stages: readonly Stage[]
} {
  const args = new Map<string, string>()
  const stages: { from: string; name: string | null; instructions: Instruction[] }[] = []
  for (const instruction of instructionsOf(source)) {
    const { name, text } = instruction
    if (name === 'FROM') {
      const [image = '', , stage] = text.split(/\s+/)
      const from = image.replace(/\$\{(\w+)\}/g, (_, arg: string) => args.get(arg) ?? '')
      stages.push({ from, name: stage ?? null, instructions: [] })
    } else if (stages.length === 0 && name === 'ARG') args.set(...halves(text))
    else stages.at(-1)?.instructions.push(instruction)
  }
  return { args, stages }
}

/** `name=value` at the first sign; quotes go. */
export function halves(text: string): [string, string] {
  const at = text.indexOf('=')
  return [text.slice(0, at), text.slice(at + 1).replace(/^"(.*)"$/, '$1')]
}

function instructionsOf(source: string): readonly Instruction[] {
  const lines = source.split('\n').filter((line) => !/^\s*(#|$)/.test(line))
  return lines
    .join('\n')
    .replaceAll('\\\n', ' ')
    .split('\n')
    .map((line) => /^(\w+)\s+(.*)$/.exec(line.trim()))
    .map((match) => ({ name: match![1]!.toUpperCase(), text: match![2]!.replace(/\s+/g, ' ') }))
}
