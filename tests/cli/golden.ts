import { readFileSync } from 'node:fs'

interface Batch {
  readonly completion_input_ids: readonly number[][]
  readonly prompt_len: readonly number[]
  readonly completion_len: readonly number[]
  readonly label: readonly boolean[]
}

interface Static {
  readonly policy_per_token: readonly number[][]
  readonly ref_per_token: readonly number[][]
}

interface Step {
  readonly loss: number
  readonly delta: number
  readonly grad_norm: number
  readonly running_after: { readonly mean: number }
}

/** TRL's own numbers for a tiny Llama with a LoRA: tests/golden/README.md. */
export const golden = JSON.parse(readFileSync('tests/golden/tiny_llama.json', 'utf8')) as {
  readonly batches: readonly Batch[]
  readonly f64: { readonly static: readonly Static[]; readonly train: readonly Step[] }
}

export interface GoldenRow {
  readonly prompt: readonly number[]
  readonly completion: readonly number[]
  readonly label: boolean
  /** Log-probability of each completion token. */
  readonly policy: readonly number[]
  readonly reference: readonly number[]
}

/** The rows of one of the four batches. */
export function goldenRows(index: number): readonly GoldenRow[] {
  const batch = golden.batches[index]!
  const { policy_per_token, ref_per_token } = golden.f64.static[index]!
  return batch.completion_input_ids.map((ids, row) => {
    const [prompt, completion] = [batch.prompt_len[row]!, batch.completion_len[row]!]
    return {
      prompt: ids.slice(0, prompt),
      completion: ids.slice(prompt, prompt + completion),
      label: batch.label[row]!,
      policy: policy_per_token[row]!,
      reference: ref_per_token[row]!,
    }
  })
}

/** The golden training run as a file of token-id rows: ten batches, the four in turn. */
export const goldenFeedback = (): readonly object[] =>
  Array.from({ length: 10 }, (_, step) => goldenRows(step % 4))
    .flat()
    .map(({ prompt, completion, label }) => ({ prompt_tokens: prompt, completion_tokens: completion, label }))

const set = (...values: readonly string[]) => values.flatMap((value) => ['--set', value])

/** A golden batch has 60 tokens at most: what a command need not trace. */
export const FEW_SHAPES = set('limits.maxLength=128', 'batch.tokens=128')

/** The flags of the golden training run. */
export const GOLDEN_RUN = [
  ...['--model', 'tests/golden/tiny_llama', '--init-adapter', 'tests/golden/tiny_adapter'],
  ...set('bco.mode=trl', 'ratio.mode=off', 'batch.size=4', 'batch.stratify=false', 'optimizer.lr=1e-3'),
  ...set('optimizer.weightDecay=0.01', 'optimizer.clipNorm=1', 'optimizer.schedule=constant'),
  ...FEW_SHAPES,
]
