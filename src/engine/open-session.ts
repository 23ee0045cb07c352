import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { BcodError } from '../errors.js'
import { answers } from './cluster/containers.js'
import type { FunctionLibrary } from './functions.js'
import { devicesOf, Placement, type Places, sessionConfig, workersOf } from './places.js'
import type { Program, Variable } from './program.js'
import { guarded } from './run-errors.js'
import { type Executor, FREE, serializeProgram, writeSavedModel } from './saved-model.js'
import { type Feed, type RunResults, type SessionHandle, sessions } from './tensorflow.js'

/** What is to run in a session, wherever its places are. */
export interface SessionContent {
  readonly library: FunctionLibrary
  readonly variables: readonly Variable[]
  readonly programs: readonly Program[]
  readonly executor: Executor
}

/** A session over workers opens in a fraction of a second, or never. */
const OPEN_LIMIT_MS = 30_000

/** What is new whenever a session is opened: TensorFlow's session, and where its nodes are. */
export class OpenSession {
  #placement: Placement
  #programs: readonly Program[]
  /** How many functions of the library it has. */
  #functions: number
  /** By place: the workers that its errors name; null: nobody. */
  readonly blamed: readonly (string | null)[]
  /** Of each place, by its stages; null for one that is left out. */
  readonly devices: readonly (readonly string[] | null)[]

  private constructor(
    private readonly handle: SessionHandle,
    private readonly content: SessionContent,
    private readonly at: Places,
    private readonly isServer: boolean,
  ) {
    this.#programs = content.programs
    this.#functions = content.library.definitions.length
    this.#placement = new Placement(at, content.programs)
    this.blamed = workersOf(at).needed.map((own) => own.join(', ') || null)
    this.devices = devicesOf(at)
  }

  /**
   * @param limit  milliseconds that a session over workers may take to open
   * @throws WORKER_UNREACHABLE for the worker that keeps it from opening
   */
  static open(content: SessionContent, places: Places, limit = OPEN_LIMIT_MS): OpenSession {
    const { library, variables, programs, executor } = content
    const { target = '', config = new Uint8Array() } = places
    const isServer = target !== ''
    const directory = mkdtempSync(join(tmpdir(), 'bcod-graph-'))
    try {
      const named = isServer ? { ...places, generation: randomUUID() } : places
      writeSavedModel(directory, library.definitions, variables, programs, executor, named)
      // messages of protobuf are joined by writing one behind the other
      const joined = Buffer.concat([sessionConfig(places), config])
      const handle = load(directory, target, joined, limit, places.workers ?? [])
      return new OpenSession(handle, content, places, isServer)
    } finally {
      rmSync(directory, { recursive: true, force: true })
    }
  }

  get placement(): Placement {
    return this.#placement
  }

  /** Adds a program, and what the library has for it. Variables stay where they are. */
  add(program: Program): void {
    const { library, executor } = this.content
    const programs = [...this.#programs, program]
    const placement = new Placement(this.at, programs)
    for (const { name } of program.variables)
      if (this.devices.some((_, place) => placement.holder(name, place) !== this.#placement.holder(name, place)))
        throw new Error(`${program.name}: ${name} is not kept where it runs`)
    const functions = library.definitions.slice(this.#functions)
    const { graph, known } = serializeProgram(functions, program, executor, this.at, placement)
    guarded(program.name, null, () => sessions.extend(this.handle, graph, known))
    this.#programs = programs
    this.#placement = placement
    this.#functions = library.definitions.length
  }

  /** Begins a run. Waiting for it returns what was fetched, or throws DEADLINE_EXCEEDED once its time is over. */
  start(feeds: readonly Feed[], fetches: readonly string[]): () => RunResults {
    const run = sessions.start(this.handle, feeds, fetches)
    return () => sessions.wait(run, this.at.runLimit)
  }

  /** What workers have goes when the next session opens; of this process, nobody knows whether there will be one. */
  close(): void {
    try {
      if (this.isServer) this.start([], [`${FREE}:0`])()
    } catch {
      // then it takes memory until the process ends
    }
    sessions.close(this.handle)
  }
}

/** TensorFlow's codes if a worker is suspended or cut off, and if it has ended. */
const AWAY: readonly string[] = ['DEADLINE_EXCEEDED', 'UNAVAILABLE']

/** Says who keeps the session from opening: TensorFlow waits for a worker that is away, and for all in the same call. */
function load(
  directory: string,
  target: string,
  config: Uint8Array,
  limit: number,
  workers: readonly (string | null)[],
): SessionHandle {
  try {
    return guarded('load', null, () => sessions.load(directory, target, config, limit))
  } catch (error) {
    const { cause } = error as { readonly cause: NodeJS.ErrnoException }
    if (!AWAY.includes(cause.code ?? '')) throw error
    const away = workers.find((worker) => worker !== null && !answers(worker))
    throw new BcodError('WORKER_UNREACHABLE', cause.message.split('\n', 1)[0] ?? '', {
      ...(away ? { place: away } : {}),
      cause,
    })
  }
}
