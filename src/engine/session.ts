import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { BcodError } from '../errors.js'
import { compiledFolder, enterCompiled } from './compilation-cache.js'
import type { FunctionLibrary } from './functions.js'
import { atPlace, devicesOf, ONE_PLACE, Placement, type Places, sessionConfig } from './places.js'
import type { Program, Variable } from './program.js'
import {
  addName,
  byteShape,
  callName,
  copyName,
  type Executor,
  feedName,
  fetchNames,
  readName,
  writeFeedName,
  writeName,
  writeSavedModel,
} from './saved-model.js'
import { binding, type Feed, type RunResults, type SessionHandle, sessions } from './tensorflow.js'

export type InputValue = Int32Array | Float32Array | number
/** Fetched values: floats of an f32 output, integers of an int32 one. */
export type Fetched = Record<string, Float32Array | Int32Array>

/** A call that has begun. Calling it waits for its end, once. */
export type Later<T> = () => T

export interface SessionOptions {
  /** Called after the first run of each program with the time that it took, in milliseconds. */
  readonly onCompiled?: ((program: string, ms: number) => void) | undefined
  /** @default one, which TensorFlow chooses */
  readonly places?: Places
  /** Of TensorFlow's distributed runtime. @default this process */
  readonly target?: string
  /** A ConfigProto, over what the session sets by itself. */
  readonly config?: Uint8Array
}

/**
 * Compiled programs and the variables they share, resident on the devices. All calls but `start` block the thread until
 * they have ended; the first of a program includes TensorFlow's optimisation and, with `xla`, its compilation.
 */
export class Session {
  readonly #handle: SessionHandle
  readonly #variables: ReadonlyMap<string, Variable>
  readonly #programs: ReadonlyMap<string, Program>
  readonly #placement: Placement
  readonly #warm = new Set<string>()
  readonly #busySeconds: number[]
  #used: readonly number[]

  constructor(
    library: FunctionLibrary,
    variables: readonly Variable[],
    programs: readonly Program[],
    readonly executor: Executor,
    private readonly options: SessionOptions = {},
  ) {
    const { places = ONE_PLACE, target = '', config = new Uint8Array() } = options
    this.#used = [...devicesOf(places).keys()]
    this.#busySeconds = this.#used.map(() => 0)
    this.#placement = new Placement(places, programs)
    this.#variables = new Map(variables.map((variable) => [variable.name, variable]))
    this.#programs = new Map(programs.map((program) => [program.name, program]))
    const directory = mkdtempSync(join(tmpdir(), 'bcod-graph-'))
    try {
      writeSavedModel(directory, library, variables, programs, executor, places)
      // messages of protobuf are joined by writing one behind the other
      const joined = Buffer.concat([sessionConfig(places), config])
      this.#handle = guarded('load', () => sessions.load(directory, target, joined))
    } finally {
      rmSync(directory, { recursive: true, force: true })
    }
  }

  /** The places in use, by number; the first is 0. */
  get places(): readonly number[] {
    return this.#used
  }

  /** For how long each place, also one that is not in use any more, has run programs, in seconds. */
  get busySeconds(): readonly number[] {
    return [...this.#busySeconds]
  }

  /** Leaves a place, other than the first, out of all that follows. What it holds stays there. */
  drop(place: number): void {
    this.#used = this.#used.filter((each) => each === 0 || each !== place)
  }

  /** Runs a program at the first place. Inputs must have exactly the sizes that it was traced with. */
  run(name: string, inputs: Readonly<Record<string, InputValue>> = {}): Fetched {
    return this.start(name, inputs)()
  }

  /** Begins a run of a program at a place. Runs at places of one device go on at the same time as those of several. */
  start(name: string, inputs: Readonly<Record<string, InputValue>> = {}, place = 0): Later<Fetched> {
    const program = this.#programs.get(name)
    const runner = this.#placement.runner(name, place)
    if (!program || runner === undefined) throw new Error(`no program ${name} at place ${place}`)
    const feeds = Object.entries(program.inputs).map(([key, { shape, dtype }]) => {
      const value = inputs[key]
      if (value === undefined) throw new Error(`${name}: input ${key} is missing`)
      const array = typeof value === 'number' ? (dtype === 'int32' ? Int32Array : Float32Array).of(value) : value
      const size = shape.reduce((a, b) => a * b, 1)
      if (array.length !== size) throw new Error(`${name}: input ${key} has ${array.length} values, not ${size}`)
      if (array instanceof Int32Array !== (dtype === 'int32')) throw new Error(`${name}: input ${key} is not ${dtype}`)
      return {
        name: `${atPlace(runner, feedName(name, key))}:0`,
        shape,
        values: new Int32Array(array.buffer, array.byteOffset, array.length),
      }
    })
    const started = performance.now()
    const call = atPlace(runner, callName(name))
    const wait = this.#start(
      feeds,
      fetchNames(program).map((fetched) => atPlace(runner, fetched)),
    )
    return () => {
      const results = wait()
      ;(this.#busySeconds[place] as number) += results.seconds
      if (!this.#warm.has(call)) {
        this.#warm.add(call)
        const folder = compiledFolder()
        if (folder !== null) enterCompiled(folder)
        this.options.onCompiled?.(name, performance.now() - started)
      }
      return Object.fromEntries(program.outputs.map((output, index) => [output.name, results[index] as Float32Array]))
    }
  }

  /** Values of variables at the first place, in the order asked for; bfloat16 as floats. */
  read(...names: readonly string[]): readonly (Float32Array | Int32Array)[] {
    return this.readAt(0, ...names)
  }

  /** The same at another place. */
  readAt(place: number, ...names: readonly string[]): readonly (Float32Array | Int32Array)[] {
    const fetches = names.map((name) => `${atPlace(this.#holder(name, place), readName(name))}:0`)
    return this.#start([], fetches)() as readonly (Float32Array | Int32Array)[]
  }

  /**
   * Sets variables from their little-endian bytes (bfloat16: two bytes each) or values. TensorFlow optimises its graph
   * anew for every set of names that is written or read together: use few and large ones.
   *
   * @param place  this place alone, with those that share the variable with it. @default all
   */
  write(values: Readonly<Record<string, Uint8Array | Float32Array | Int32Array>>, place?: number): void {
    const feeds = Object.entries(values).map(([name, value]) => {
      const variable = this.#known(name)
      const bytes = new Uint8Array(value.buffer, value.byteOffset, value.byteLength)
      const shape = byteShape(variable)
      const size = shape.reduce((a, b) => a * b, 1)
      if (bytes.length !== size) throw new Error(`variable ${name}: ${bytes.length} bytes, not ${size}`)
      return { name: `${writeFeedName(name)}:0`, shape, values: bytes }
    })
    const holdersOf = (name: string) => (place === undefined ? this.#holders(name) : [this.#holder(name, place)])
    const written = Object.keys(values).flatMap((name) => holdersOf(name).map((each) => atPlace(each, writeName(name))))
    this.#start(
      feeds,
      written.map((name) => `${name}:0`),
    )()
  }

  /** Adds the value that an f32 variable has at another place to its value at the first. */
  add(name: string, place: number): void {
    this.#known(name)
    this.#start([], [`${atPlace(place, addName(name))}:0`])()
  }

  /** Gives an f32 variable at all other places the value that it has at the first. */
  spread(name: string): void {
    const others = this.#holders(this.#known(name).name).slice(1)
    if (others.length > 0)
      this.#start(
        [],
        others.map((place) => `${atPlace(place, copyName(name))}:0`),
      )()
  }

  dispose(): void {
    sessions.close(this.#handle)
  }

  #known(name: string): Variable {
    const variable = this.#variables.get(name)
    if (!variable) throw new Error(`no variable ${name}`)
    return variable
  }

  /** The places in use that have a variable for themselves. */
  #holders(name: string): readonly number[] {
    return this.#placement.holders(name, this.places)
  }

  #holder(name: string, place: number): number {
    const holder = this.#placement.holder(this.#known(name).name, place)
    if (holder === undefined) throw new Error(`no variable ${name} at place ${place}`)
    return holder
  }

  #start(feeds: readonly Feed[], fetches: readonly string[]): Later<RunResults> {
    const what = fetches[0] ?? ''
    const run = guarded(what, () => sessions.start(this.#handle, feeds, fetches))
    return () => guarded(what, () => sessions.wait(run))
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
