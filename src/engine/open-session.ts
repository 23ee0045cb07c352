import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { FunctionLibrary } from './functions.js'
import { Placement, type Places, sessionConfig, workersOf } from './places.js'
import type { Program, Variable } from './program.js'
import { guarded } from './run-errors.js'
import { type Executor, serializeProgram, writeSavedModel } from './saved-model.js'
import { type SessionHandle, sessions } from './tensorflow.js'

export interface SessionGraph {
  readonly variables: readonly Variable[]
  readonly programs: readonly Program[]
  readonly executor: Executor
  readonly places: Places
}

/** A session of TensorFlow, what it has, and where. */
export interface OpenSession extends SessionGraph {
  readonly handle: SessionHandle
  readonly placement: Placement
  /** How many functions of the library it has. */
  readonly functions: number
  /** By place; null: this process. */
  readonly workers: readonly (string | null)[]
}

export function openSession(library: FunctionLibrary, graph: SessionGraph): OpenSession {
  const { variables, programs, executor, places } = graph
  const directory = mkdtempSync(join(tmpdir(), 'bcod-graph-'))
  try {
    writeSavedModel(directory, library.definitions, variables, programs, executor, places)
    const { target = '', config = new Uint8Array() } = places
    // messages of protobuf are joined by writing one behind the other
    const joined = Buffer.concat([sessionConfig(places), config])
    const workers = workersOf(places)
    const away = [...new Set(workers.filter((each) => each !== null))].join(', ')
    const handle = guarded('load', away === '' ? null : away, () => sessions.load(directory, target, joined))
    const functions = library.definitions.length
    return { ...graph, handle, placement: new Placement(places, programs), functions, workers }
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

/** Adds a program, and what the library has for it, to a session. Variables stay where they are. */
export function extendSession(library: FunctionLibrary, open: OpenSession, program: Program): OpenSession {
  const { handle, executor, places } = open
  const programs = [...open.programs, program]
  const placement = new Placement(places, programs)
  for (const { name } of program.variables)
    if (open.workers.some((_, place) => placement.holder(name, place) !== open.placement.holder(name, place)))
      throw new Error(`${program.name}: ${name} is not kept where it runs`)
  const functions = library.definitions.slice(open.functions)
  const { graph, known } = serializeProgram(functions, program, executor, places, placement)
  guarded(program.name, null, () => sessions.extend(handle, graph, known))
  return { ...open, programs, placement, functions: library.definitions.length }
}
