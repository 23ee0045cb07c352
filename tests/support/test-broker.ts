import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, inject } from 'vitest'
import { type Broker, startBroker } from './kafka-broker.js'
import { OtherClient } from './kafka-reading.js'

/**
 * The broker that all files share, with a client beside the daemon's and a directory that goes with the file's tests.
 * Other files run at the same time: a topic that exists already is an error, so each file names its own.
 */
export class TestBroker {
  readonly directory: string
  #client: OtherClient | null = null

  /** @param name  of the file's tests, in the directory's name */
  constructor(name: string) {
    this.directory = mkdtempSync(join(tmpdir(), `bcod-${name}-`))
    beforeAll(async () => {
      this.#client = await OtherClient.connect(this.broker.bootstrap)
    })
    afterAll(async () => {
      await this.#client?.close()
      rmSync(this.directory, { recursive: true, force: true })
    })
  }

  get broker(): Pick<Broker, 'bootstrap' | 'port'> {
    return inject('broker')
  }

  /** There once the tests run. */
  get client(): OtherClient {
    return this.#client as OtherClient
  }
}

/** A broker of the file's own, to be killed, suspended or configured. */
export class OwnBroker {
  readonly directory: string
  #broker: Broker | null = null
  #client: OtherClient | null = null

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
