import type { TestSpecification } from 'vitest/node'
import { BaseSequencer } from 'vitest/node'

/** Files that take half a minute or more on two cores, the slowest first. */
const SLOW = [
  ...['demo/demo', 'cli/backtest', 'daemon/kill-serving', 'daemon/rollback', 'demo/flattery', 'daemon/kill-stages'],
  ...[
    'learner/learner',
    'cli/replay',
    'learner/out-of-memory',
    'learner/non-finite-events',
    'cli/check',
    'cli/program',
  ],
  ...[
    'cli/eval',
    'daemon/in-process',
    'cli/adapters-gate',
    'learner/known-reference',
    'daemon/refusals',
    'cli/generate',
  ],
  ...['gateway/log/kafka-completion-log', 'streams/kafka/services', 'gateway/votes/votes-topic', 'text/text-process'],
]

/**
 * The order of a project's files on a clean checkout, where vitest does not know yet how long each takes: a slow file
 * that began last would leave the other cores with nothing to do.
 */
export class SlowestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification) => {
      const at = SLOW.findIndex((name) => moduleId.endsWith(`/tests/${name}.test.ts`))
      return at < 0 ? SLOW.length : at
    }
    const group = ({ project }: TestSpecification) => project.config.sequence.groupOrder
    return (await super.sort(files)).sort((a, b) => group(a) - group(b) || rank(a) - rank(b))
  }
}
