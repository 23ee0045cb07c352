import type { TestProject } from 'vitest/node'
import { type Broker, startBroker } from './kafka-broker.js'

declare module 'vitest' {
  export interface ProvidedContext {
    /** Of the broker that all files share. */
    broker: Pick<Broker, 'bootstrap' | 'port'>
  }
}

/** One broker for all files; those that kill, suspend or configure theirs start their own (`TestBroker`). */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const broker = await startBroker()
  project.provide('broker', { bootstrap: broker.bootstrap, port: broker.port })
  return () => broker.stop()
}
