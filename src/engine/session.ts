import { BcodError } from '../errors.js'
import { freeContainer, STATE_CONTAINER, targetOf } from './cluster/containers.js'
import { compiledFolder, enterCompiled } from './compilation-cache.js'
import { type InputValue, programFeeds, variableFeed } from './feeds.js'
import type { FunctionLibrary } from './functions.js'
import { OpenSession } from './open-session.js'
import { atPlace, devicesOf, ONE_PLACE, type Places } from './places.js'
import type { Program, Variable } from './program.js'
import { guarded } from './run-errors.js'
import {
  addFedName,
  addName,
  callName,
  copyName,
  type Executor,
  fetchNames,
  readName,
  writeName,
} from './saved-model.js'
import { binding, type Feed, type RunResults, sessions } from './tensorflow.js'
import { type OnDropped, UsedPlaces } from './used-places.js'
import { stageOf } from './variable.js'

/** Fetched values: floats of an f32 output, integers of an int32 one. */
export type Fetched = Record<string, Float32Array | Int32Array>

/** A call that has begun. Calling it waits for its end, once. */
export type Later<T> = () => T

export interface SessionOptions {
  /**
   * Called after the first run of each program with the time that it took, in milliseconds; that of adding it to the
   * session included.
   */
  readonly onCompiled?: ((program: string, ms: number) => void) | undefined
  /** @default one, which TensorFlow chooses */
  readonly places?: Places
  readonly onDropped?: OnDropped | undefined
}

/**
 * Compiled programs and the variables they share, resident on the devices. All calls but `start` block the thread until
 * they have ended; the first of a program includes TensorFlow's optimisation and, with `xla`, its compilation.
 */
export class Session {
  readonly #variables: ReadonlyMap<string, Variable>
  readonly #programs: Map<string, Program>
  /** What it took to add a program that has not run yet, in milliseconds. */
  readonly #added = new Map<string, number>()
  readonly #busySeconds: number[]
  readonly #linkBytes: number[]
  readonly #warm = new Set<string>()
  #open: OpenSession
  #used: UsedPlaces

  constructor(
    private readonly library: FunctionLibrary,
    variables: readonly Variable[],
    programs: readonly Program[],
    readonly executor: Executor,
    private readonly options: SessionOptions = {},
  ) {
    const { places = ONE_PLACE } = options
    this.#variables = new Map(variables.map((variable) => [variable.name, variable]))
    this.#programs = new Map(programs.map((program) => [program.name, program]))
    this.#busySeconds = devicesOf(places).map(() => 0)
    this.#linkBytes = devicesOf(places).map(() => 0)
    this.#used = new UsedPlaces(places, options.onDropped)
    this.#open = OpenSession.open({ library, variables, programs, executor }, places)
    this.#freeState()
  }

  /**
   * Opens the session again at others of its places. If that fails, it is as it was; else its variables are to be
   * written: what they held may be lost.
   *
   * @param places  as many as before
   */
  reopen(places: Places): void {
    const { library, executor } = this
    const content = {
      library,
      executor,
      variables: [...this.#variables.values()],
      programs: [...this.#programs.values()],
    }
    const opened = OpenSession.open(content, places)
    this.dispose()
    this.#warm.clear()
    this.#used = new UsedPlaces(places, this.options.onDropped)
    this.#open = opened
    this.#freeState()
  }

  /** Workers forget what earlier sessions have written, also those of other leaders. */
  #freeState(): void {
    for (const worker of this.#used.workers)
      try {
        guarded(STATE_CONTAINER, worker, () => freeContainer(targetOf(worker), STATE_CONTAINER))
      } catch (error) {
        if (!(error instanceof BcodError)) throw error
        this.#used.dropWorker(worker, error)
      }
  }

  /** The places in use, by number; the first is 0. */
  get places(): readonly number[] {
    return this.#used.numbers
  }

  has(program: string): boolean {
    return this.#programs.has(program)
  }

  /**
   * Adds a program. Where variables are was settled when the session was made, so it may use and set those that programs
   * of the session use and set.
   *
   * @param trace  writes it into the library of the session
   */
  extend(trace: () => Program): void {
    const started = performance.now()
    const program = trace()
    for (const { name } of program.variables) this.#known(name)
    this.#open.add(program)
    this.#programs.set(program.name, program)
    this.#added.set(program.name, performance.now() - started)
  }

  /** For how long each place, also one that is not in use any more, has run programs, in seconds. */
  get busySeconds(): readonly number[] {
    return [...this.#busySeconds]
  }

  /** Values that each place has been sent and has given back over the link of its worker, in bytes; not those between stages. */
  get linkBytes(): readonly number[] {
    return [...this.#linkBytes]
  }

  /** Whether a place needs a worker that the first does not need: what fails there may succeed at the first. */
  isRemote(place: number): boolean {
    return this.#used.isRemote(place)
  }

  /**
   * Leaves a place, other than the first, out of all that follows, and with it all places of its worker. What they hold
   * stays there. Nothing happens if it is not in use.
   */
  drop(place: number, reason: BcodError): void {
    this.#used.drop(place, reason)
  }

  /** Leaves all places of a worker, `host:port`, out. @throws the reason if the first place needs it */
  dropWorker(worker: string, reason: BcodError): void {
    this.#used.dropWorker(worker, reason)
  }

  /** Runs a program at the first place. Inputs must have exactly the sizes that it was traced with. */
  run(name: string, inputs: Readonly<Record<string, InputValue>> = {}): Fetched {
    return this.start(name, inputs)()
  }

  /** Begins a run of a program at a place. Runs at places of one device go on at the same time as those of several. */
  start(name: string, inputs: Readonly<Record<string, InputValue>> = {}, place = 0): Later<Fetched> {
    const program = this.#programs.get(name)
    const runner = this.#open.placement.runner(name, place)
    if (!program || runner === undefined) throw new Error(`no program ${name} at place ${place}`)
    const feeds = programFeeds(program, inputs, runner)
    const started = performance.now()
    const call = atPlace(runner, callName(name))
    const wait = this.#start(
      place,
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
        this.options.onCompiled?.(name, performance.now() - started + (this.#added.get(name) ?? 0))
        this.#added.delete(name)
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
    return this.#start(place, [], fetches)() as readonly (Float32Array | Int32Array)[]
  }

  /**
   * Sets variables from their little-endian bytes (bfloat16: two bytes each) or values. TensorFlow optimises its graph
   * anew for every set of names that is written or read together: use few and large ones. A worker that cannot be
   * written to is dropped.
   *
   * @param place  this place alone, with those that share the variable with it. @default all
   */
  write(values: Readonly<Record<string, Uint8Array | Float32Array | Int32Array>>, place?: number): void {
    const feeds = Object.entries(values).map(([name, value]) => variableFeed(this.#known(name), value))
    const holdersOf = (name: string) => (place === undefined ? this.#holders(name) : [this.#holder(name, place)])
    const written = Object.keys(values).flatMap((name) =>
      holdersOf(name).map((each) => ({ place: each, name: writeName(name) })),
    )
    // one after the other: what is fed is copied for each run
    for (const group of this.#byWorker(written))
      this.#used.orDrop(group.place, () => this.#start(group.place, feeds, group.fetches)())
  }

  /**
   * Adds the values that f32 variables have at another place to their values at the first. If it fails at a worker,
   * nothing is added: the first place adds by itself, once it has the values.
   */
  add(place: number, ...names: readonly string[]): void {
    for (const name of names) this.#known(name)
    if (!this.isRemote(place)) {
      const added = names.map((name) => `${atPlace(place, addName(name))}:0`)
      this.#start(0, [], added)()
      return
    }
    const values = this.readAt(place, ...names)
    const feeds = names.map((name, i) => variableFeed(this.#known(name), values[i] as Float32Array))
    const added = names.map((name) => `${addFedName(name)}:0`)
    this.#start(0, feeds, added)()
  }

  /** Gives f32 variables at all other places the values that they have at the first. A worker that fails is dropped. */
  spread(...names: readonly string[]): void {
    const copies = names.flatMap((name) =>
      this.#holders(this.#known(name).name)
        .slice(1)
        .map((place) => ({ place, name: copyName(name) })),
    )
    const groups = this.#byWorker(copies)
    const ends = groups.map(({ place, fetches }) => ({ place, end: this.#start(place, [], fetches) }))
    const bytes = 4 * names.reduce((sum, name) => sum + sizeOf(this.#known(name)), 0)
    const failed: { readonly error: unknown }[] = []
    // all are waited for, whichever fails
    for (const { place, end } of ends)
      try {
        this.#used.orDrop(place, () => {
          end()
          this.#countLink(place, bytes)
        })
      } catch (error) {
        failed.push({ error })
      }
    if (failed[0] !== undefined) throw failed[0].error
  }

  dispose(): void {
    this.#open.close()
  }

  /** The devices that have a variable, of the places in use, by their full names. */
  keepersOf(name: string): readonly string[] {
    const stage = stageOf(this.#known(name))
    return this.#holders(name).map((place) => this.#open.devices[place]?.[stage] as string)
  }

  #known(name: string): Variable {
    const variable = this.#variables.get(name)
    if (!variable) throw new Error(`no variable ${name}`)
    return variable
  }

  /** The places in use that have a variable for themselves. */
  #holders(name: string): readonly number[] {
    return this.#open.placement.holders(name, this.places)
  }

  #holder(name: string, place: number): number {
    const holder = this.#open.placement.holder(this.#known(name).name, place)
    if (holder === undefined) throw new Error(`no variable ${name} at place ${place}`)
    return holder
  }

  /** Nodes in one run for this process and one for each worker, so that one that fails is known. */
  #byWorker(nodes: readonly { readonly place: number; readonly name: string }[]) {
    const groups = new Map<string, { place: number; fetches: string[] }>()
    for (const { place, name } of nodes) {
      const worker = this.#used.workersOf(place).join()
      const group = groups.get(worker) ?? { place, fetches: [] }
      group.fetches.push(`${atPlace(place, name)}:0`)
      groups.set(worker, group)
    }
    return [...groups.values()]
  }

  /** @param place  the one whose worker it needs; of several in this process, any */
  #start(place: number, feeds: readonly Feed[], fetches: readonly string[]): Later<RunResults> {
    const what = fetches[0] ?? ''
    const worker = this.#open.blamed[place] ?? null
    const end = guarded(what, worker, () => this.#open.start(feeds, fetches))
    this.#countLink(place, bytesOf(feeds.map(({ values }) => values)))
    return () => {
      const results = guarded(what, worker, end)
      this.#countLink(place, bytesOf(results))
      return results
    }
  }

  #countLink(place: number, bytes: number): void {
    if (this.isRemote(place)) (this.#linkBytes[place] as number) += bytes
  }
}

const bytesOf = (values: readonly ArrayBufferView[]): number => values.reduce((sum, each) => sum + each.byteLength, 0)
const sizeOf = ({ shape }: Variable): number => shape.reduce((a, b) => a * b, 1)

/** How many tensors the engine and TensorFlow's binding hold for this process: flat over time, or something leaks. */
export const liveTensors = (): number => sessions.liveTensors() + binding.getNumOfTensors()
