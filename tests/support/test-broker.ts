import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll } from 'vitest'
import { type Broker, startBroker } from './kafka-broker.js'
import { OtherClient } from './kafka-reading.js'

/** A real broker with a client beside the daemon's, and a directory, for the tests of one file; all end with them. */
export class TestBroker {
  readonly directory: string
  #broker: Broker | null = null
  #client: OtherClient | null = null

  /**
   * @param name        of the file's tests, in the directory's name
   * @param properties  settings of the broker
   */
  constructor(name: string, properties: Readonly<Record<string, string>> = {}) {
    this.directory = mkdtempSync(join(tmpdir(), `bcod-${name}-`))
    beforeAll(async () => {
      this.#broker = await startBroker({ properties })
      this.#client = await OtherClient.connect(this.#broker.bootstrap)
    })
    afterAll(async () => {
      await this.#client?.close()
      await this.#broker?.stop()
      rmSync(this.directory, { recursive: true, force: true })
    })
  }

  /** There once the tests run. */
  get broker(): Broker {
    return this.#broker as Broker
  }

  get client(): OtherClient {
    return this.#client as OtherClient
  }
}
