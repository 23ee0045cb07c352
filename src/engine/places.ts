import type { Program, Variable } from './program.js'
import { bytes, message, type Part, varint } from './protobuf-wire.js'

/**
 * Devices that run the same programs, in order, as TensorFlow names them (`/device:GPU:1`). The first place holds the
 * state: what is read and optimised is there. An empty name leaves the choice to TensorFlow. A device that is named
 * several times computes as many batches at the same time (`Placement`).
 */
export interface Places {
  /** null: its place is left out of the session, and keeps its number. */
  readonly devices: readonly (string | null)[]
  /**
   * How many devices in a row are one place: a variable is at the device of its stage, and a program computes where its
   * variables are. @default 1
   */
  readonly stages?: number
  /** Programs that run at the first place alone. What only they use is kept there alone. */
  readonly atFirstOnly: readonly string[]
  /** `host:port` of the worker that has each device; null: this process. @default all of this process */
  readonly workers?: readonly (string | null)[]
  /** Of TensorFlow's distributed runtime. @default this process */
  readonly target?: string
  /** A ConfigProto, over what the session sets by itself. */
  readonly config?: Uint8Array
  /** A run that has not ended after so many milliseconds is given up. @default never */
  readonly runLimit?: number
  /** Of a session over servers, which keep what it writes: no other session has it. @default a session of this process */
  readonly generation?: string
}

export const ONE_PLACE: Places = { devices: [''], atFirstOnly: [] }

/** The devices of each place, by its stages; null for one that is left out. */
export const devicesOf = ({ devices, stages = 1 }: Places): readonly (readonly string[] | null)[] =>
  inRows(devices, stages).map((row) => (row.includes(null) ? null : (row as readonly string[])))

/** The workers that each place needs beside those of the first, and all that it needs. */
export function workersOf({ devices, workers, stages = 1 }: Places) {
  const rows = inRows(workers ?? devices.map(() => null), stages)
  const needed = rows.map((row) => [...new Set(row.filter((each) => each !== null))])
  return { workers: needed.map((own) => own.filter((each) => !needed[0]?.includes(each))), needed }
}

function inRows<T>(values: readonly T[], width: number): readonly (readonly T[])[] {
  if (values.length % width !== 0) throw new Error(`${values.length} devices are not places of ${width}`)
  return Array.from({ length: values.length / width }, (_, i) => values.slice(i * width, (i + 1) * width))
}

/** Name of a node at a place. Those of the first have no mark, so a single place has the graph that it always had. */
export const atPlace = (place: number, name: string): string => (place === 0 ? name : `place_${place}/${name}`)

/**
 * Where the programs and variables of a session are. Places that name one device share all that programs at every place
 * only read, and the programs that only read; each has what they write (the sum of its gradients) for itself. So several
 * batches are under way on one device, which holds the weights once.
 */
export class Placement {
  readonly #everywhere: ReadonlySet<string>
  readonly #kept: ReadonlySet<string>
  readonly #written: ReadonlySet<string>
  readonly #writing: ReadonlySet<string>
  /** For each place the first one on its device. */
  readonly #homes: readonly number[]

  constructor(places: Places, programs: readonly Program[]) {
    const { atFirstOnly } = places
    const everywhere = programs.filter(({ name }) => !atFirstOnly.includes(name))
    const namesOf = (variables: readonly Variable[]) => variables.map(({ name }) => name)
    this.#everywhere = new Set(everywhere.map(({ name }) => name))
    this.#kept = new Set(everywhere.flatMap(({ variables }) => namesOf(variables)))
    this.#written = new Set(everywhere.flatMap(({ written }) => namesOf(written)))
    this.#writing = new Set(everywhere.filter(({ written }) => written.length > 0).map(({ name }) => name))
    const devices = devicesOf(places).map((each) => each?.join() ?? null)
    this.#homes = devices.map((each) => devices.indexOf(each))
  }

  /** The place whose variable a program at a place uses; undefined if only the first place's programs use it. */
  holder(variable: string, place: number): number | undefined {
    if (this.#written.has(variable)) return place
    if (this.#kept.has(variable)) return this.#homes[place]
    return place === 0 ? 0 : undefined
  }

  /** The places among these that have a variable, in order. */
  holders(variable: string, places: readonly number[]): readonly number[] {
    const holders = places.map((place) => this.holder(variable, place))
    return [...new Set(holders.filter((holder) => holder !== undefined))]
  }

  /** The place whose node runs a program for a place; undefined if the program runs at the first alone. */
  runner(program: string, place: number): number | undefined {
    if (!this.#everywhere.has(program)) return place === 0 ? 0 : undefined
    return this.#writing.has(program) ? place : this.#homes[place]
  }
}

/**
 * ConfigProto.graph_options.rewrite_options.disable_meta_optimizer: every call optimises the function that it calls by
 * itself (docs/adr/002-engine.md).
 */
export const WITHOUT_META_OPTIMIZER: Part = bytes(10, bytes(10, varint(19, 1)))

/** The ConfigProto of a session: as many virtual devices of the CPU as places name. */
export function sessionConfig({ devices }: Places): Uint8Array {
  const cpus = devices.map((device) => /CPU:(\d+)$/.exec(device ?? '')?.[1]).filter((index) => index !== undefined)
  const count = Math.max(0, ...cpus.map((index) => Number(index) + 1))
  const virtual = count > 1 ? [bytes(1, message(bytes(1, 'CPU'), varint(2, count)))] : []
  return message(...virtual, WITHOUT_META_OPTIMIZER)
}
