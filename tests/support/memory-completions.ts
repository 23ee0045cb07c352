import type { Completion } from '../../src/gateway/completion.js'
import type { CompletionLog } from '../../src/gateway/completion-log.js'

/** Where Kafka plays no part. */
export class MemoryCompletions implements CompletionLog {
  readonly records: Completion[] = []
  available = true

  record(completion: Completion): void {
    this.records.push(completion)
  }

  async find(id: string): Promise<Completion | null> {
    return this.records.find((each) => each.id === id) ?? null
  }

  async close(): Promise<void> {}
}
