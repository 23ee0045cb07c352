import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { writeGraph } from '../../saved-model.js'
import { type RunResults, type SessionHandle, sessions } from '../../tensorflow.js'
import { ANSWER_LIMIT_MS, freeContainer, serverConfig, WEIGHTS_CONTAINER } from '../containers.js'
import type { WeightFile } from './kept-variable.js'
import { fingerprintName, type KeepingDevice, loadName, PRESENT, weightGraph } from './weight-graph.js'

/**
 * A session on one server by itself, which reads weights from its own files. The server's own master leads it, so that
 * no other server has a part in it and nothing of a model goes through the network.
 */
export class WeightServer {
  #handle: SessionHandle | null = null
  readonly #loads: readonly string[]

  /**
   * @param target   of the server; empty: this process
   * @param files    of the model, at the server
   * @param timeout  a run that takes longer has failed, milliseconds
   * @throws Error with TensorFlow's code, as all that follows
   */
  constructor(
    private readonly target: string,
    private readonly files: readonly WeightFile[],
    private readonly devices: readonly KeepingDevice[],
    private readonly timeout: number,
  ) {
    this.#loads = devices.flatMap(({ variables }, device) => variables.map((_, i) => loadName(device, i)))
    this.#open(false)
  }

  /** Whether it has all variables. */
  get isWhole(): boolean {
    const [present] = this.#start([PRESENT])()
    return (present as Int32Array).every((one) => one === 1)
  }

  /** Begins to read the files. @returns waits for their fingerprints, in hex */
  startFingerprints(): () => readonly string[] {
    const end = this.#start(this.files.map((_, index) => fingerprintName(index)))
    return () => end().map((bytes) => Buffer.from(bytes as Uint8Array).toString('hex'))
  }

  /**
   * Before it loads.
   * @param frees  whether it forgets the weights that it has, of whatever model
   */
  prepare(frees: boolean): void {
    this.close()
    if (frees) freeContainer(this.target, WEIGHTS_CONTAINER)
    this.#open(true)
  }

  /** How many variables it has. */
  get loads(): number {
    return this.#loads.length
  }

  /** Begins to load one of its variables; nothing if it has fewer. One at a time, so that only one is there twice. */
  startLoad(index: number): () => unknown {
    const name = this.#loads[index]
    return name === undefined ? () => undefined : this.#start([name])
  }

  close(): void {
    if (this.#handle !== null) sessions.close(this.#handle)
    this.#handle = null
  }

  #open(loads: boolean): void {
    const directory = mkdtempSync(join(tmpdir(), 'bcod-weights-'))
    try {
      writeGraph(directory, weightGraph(this.files, this.devices, loads))
      this.#handle = sessions.load(directory, this.target, serverConfig(this.timeout), ANSWER_LIMIT_MS)
    } finally {
      rmSync(directory, { recursive: true, force: true })
    }
  }

  #start(names: readonly string[]): () => RunResults {
    const fetches = names.map((name) => `${name}:0`)
    const run = sessions.start(this.#handle as SessionHandle, [], fetches)
    return () => sessions.wait(run)
  }
}
