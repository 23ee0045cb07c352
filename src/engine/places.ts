import { bytes, message, type Part, varint } from './cluster/protobuf.js'
import type { Program, Variable } from './program.js'

/**
 * Devices of this process that run the same programs, in order, as TensorFlow names them (`/device:GPU:1`). The first
 * place holds the state: what is read and optimised is there. An empty name leaves the choice to TensorFlow.
 */
export interface Places {
  readonly devices: readonly string[]
  /** Programs that run at the first place alone. What only they use is kept there alone. */
  readonly atFirstOnly: readonly string[]
}

export const ONE_PLACE: Places = { devices: [''], atFirstOnly: [] }

/** Name of a node at a place. Those of the first have no mark, so a single place has the graph that it always had. */
export const atPlace = (place: number, name: string): string => (place === 0 ? name : `place_${place}/${name}`)

/** The programs that run at every place, and the variables that are kept there. */
export function everywhere(
  { atFirstOnly }: Places,
  programs: readonly Program[],
): { readonly programs: readonly Program[]; readonly variables: ReadonlySet<Variable['name']> } {
  const shared = programs.filter(({ name }) => !atFirstOnly.includes(name))
  return { programs: shared, variables: new Set(shared.flatMap(({ variables }) => variables.map(({ name }) => name))) }
}

/**
 * ConfigProto.graph_options.rewrite_options.disable_meta_optimizer: every call optimises the function that it calls by
 * itself (docs/adr/002-engine.md).
 */
export const WITHOUT_META_OPTIMIZER: Part = bytes(10, bytes(10, varint(19, 1)))

/** The ConfigProto of a session: as many virtual devices of the CPU as places name. */
export function sessionConfig({ devices }: Places): Uint8Array {
  const cpus = devices.map((device) => /CPU:(\d+)$/.exec(device)?.[1]).filter((index) => index !== undefined)
  const count = Math.max(0, ...cpus.map((index) => Number(index) + 1))
  const virtual = count > 1 ? [bytes(1, message(bytes(1, 'CPU'), varint(2, count)))] : []
  return message(...virtual, WITHOUT_META_OPTIMIZER)
}
