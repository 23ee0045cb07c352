import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { BcodError } from '../errors.js'
import { compiledFolder, enterCompiled } from './compilation-cache.js'
import type { FunctionLibrary } from './functions.js'
import type { Program, Variable } from './program.js'
import {
  byteShape,
  callName,
  type Executor,
  feedName,
  readName,
  writeFeedName,
  writeName,
  writeSavedModel,
} from './saved-model.js'
import { binding, type Feed, type SessionHandle, sessions } from './tensorflow.js'

export type InputValue = Int32Array | Float32Array | number
/** Fetched values: floats of an f32 output, integers of an int32 one. */
export type Fetched = Record<string, Float32Array | Int32Array>

/**
 * ConfigProto { graph_options { rewrite_options { disable_meta_optimizer: true } } }: every call optimises the function
 * that it calls, by itself (docs/adr/002-engine.md).
 */
const CONFIG = Uint8Array.of(0x52, 0x05, 0x52, 0x03, 0x98, 0x01, 0x01)

/**
 * Compiled programs and the variables they share, resident on the device. All calls are synchronous and block the
 * thread; the first call of a program includes TensorFlow's optimisation and, with `xla`, its compilation.
 */
export class Session {
  readonly #handle: SessionHandle
  readonly #variables: ReadonlyMap<string, Variable>
  readonly #programs: ReadonlyMap<string, Program>
  readonly #warm = new Set<string>()

  constructor(
    library: FunctionLibrary,
    variables: readonly Variable[],
    programs: readonly Program[],
    readonly executor: Executor,
    /** Called after the first run of each program with the time that it took, in milliseconds. */
    private readonly onCompiled: (program: string, ms: number) => void = () => {},
  ) {
    this.#variables = new Map(variables.map((variable) => [variable.name, variable]))
    this.#programs = new Map(programs.map((program) => [program.name, program]))
    const directory = mkdtempSync(join(tmpdir(), 'bcod-graph-'))
    try {
      writeSavedModel(directory, library, variables, programs, executor)
      this.#handle = guarded('load', () => sessions.load(directory, '', CONFIG))
    } finally {
      rmSync(directory, { recursive: true, force: true })
    }
  }

  /** Runs a program. Inputs must have exactly the sizes that it was traced with. */
  run(name: string, inputs: Readonly<Record<string, InputValue>> = {}): Fetched {
    const program = this.#programs.get(name)
    if (!program) throw new Error(`no program ${name}`)
    const feeds = Object.entries(program.inputs).map(([key, { shape, dtype }]) => {
      const value = inputs[key]
      if (value === undefined) throw new Error(`${name}: input ${key} is missing`)
      const array = typeof value === 'number' ? (dtype === 'int32' ? Int32Array : Float32Array).of(value) : value
      const size = shape.reduce((a, b) => a * b, 1)
      if (array.length !== size) throw new Error(`${name}: input ${key} has ${array.length} values, not ${size}`)
      if (array instanceof Int32Array !== (dtype === 'int32')) throw new Error(`${name}: input ${key} is not ${dtype}`)
      return {
        name: `${feedName(name, key)}:0`,
        shape,
        values: new Int32Array(array.buffer, array.byteOffset, array.length),
      }
    })
    const started = performance.now()
    const results = this.#call(
      feeds,
      program.outputs.map((_, index) => `${callName(name)}:${index}`),
    )
    if (!this.#warm.has(name)) {
      this.#warm.add(name)
      const folder = compiledFolder()
      if (folder !== null) enterCompiled(folder)
      this.onCompiled(name, performance.now() - started)
    }
    return Object.fromEntries(program.outputs.map((output, index) => [output.name, results[index] as Float32Array]))
  }

  /** Values of variables on the host, in the order asked for; bfloat16 as floats. */
  read(...names: readonly string[]): (Float32Array | Int32Array)[] {
    for (const name of names) this.#known(name)
    return this.#call(
      [],
      names.map((name) => `${readName(name)}:0`),
    ) as (Float32Array | Int32Array)[]
  }

  /**
   * Sets variables from their little-endian bytes (bfloat16: two bytes each) or values. TensorFlow optimises its graph
   * anew for every set of names that is written or read together: use few and large ones.
   */
  write(values: Readonly<Record<string, Uint8Array | Float32Array | Int32Array>>): void {
    const feeds = Object.entries(values).map(([name, value]) => {
      const variable = this.#known(name)
      const bytes = new Uint8Array(value.buffer, value.byteOffset, value.byteLength)
      const shape = byteShape(variable)
      const size = shape.reduce((a, b) => a * b, 1)
      if (bytes.length !== size) throw new Error(`variable ${name}: ${bytes.length} bytes, not ${size}`)
      return { name: `${writeFeedName(name)}:0`, shape, values: bytes }
    })
    this.#call(
      feeds,
      Object.keys(values).map((name) => `${writeName(name)}:0`),
    )
  }

  dispose(): void {
    sessions.close(this.#handle)
  }

  #known(name: string): Variable {
    const variable = this.#variables.get(name)
    if (!variable) throw new Error(`no variable ${name}`)
    return variable
  }

  #call(feeds: readonly Feed[], fetches: readonly string[]): (Float32Array | Int32Array | Uint8Array)[] {
    return guarded(fetches[0] ?? '', () => sessions.wait(sessions.start(this.#handle, feeds, fetches)))
  }
}

/** How many tensors the engine and TensorFlow's binding hold for this process: flat over time, or something leaks. */
export const liveTensors = (): number => sessions.liveTensors() + binding.getNumOfTensors()

function guarded<T>(what: string, run: () => T): T {
  try {
    return run()
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException
    const text = code === undefined ? message : `${code}: ${message}`
    // of the volume that what was compiled is kept on
    const isDisk = /No space left on device/i.test(text)
    const isMemory = !isDisk && /RESOURCE_EXHAUSTED|OOM when allocating|out of memory/i.test(text)
    throw new BcodError(
      isMemory ? 'DEVICE_OUT_OF_MEMORY' : 'TENSORFLOW_FAILED',
      text.split('\n', 1)[0]?.slice(0, 500) ?? '',
      { place: what, cause },
    )
  }
}
