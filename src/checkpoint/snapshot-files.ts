import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { decode, Encoder } from '@msgpack/msgpack'
import { adapterFiles, readAdapter } from '../adapters/weights/peft.js'
import { openSafetensors, type SafetensorsFile } from '../safetensors/reader.js'
import { safetensorsChunks } from '../safetensors/writer.js'
import { stableJson } from './json.js'
import type { Snapshot, StateTensor } from './snapshot.js'

/** The files of a checkpoint without its manifest, as names and bytes. Tensors are not copied. */
export const snapshotFiles = (
  snapshot: Snapshot,
): readonly (readonly [name: string, chunks: Iterable<Uint8Array>])[] => [
  ...adapterFiles(snapshot.adapter),
  [TRAINER_STATE, safetensorsChunks(snapshot.trainerState)],
  [PENDING, [new Encoder().encodeSharedRef(snapshot.pending)]],
  [STATE, [new TextEncoder().encode(stableJson(stateOf(snapshot)))]],
]

/** Reads back what `snapshotFiles` wrote, from a directory whose files have been verified. */
export async function readSnapshot(directory: string): Promise<Snapshot> {
  const state = JSON.parse(await readFile(join(directory, STATE), 'utf8')) as State
  return {
    ...state,
    adapter: readAdapter(directory),
    trainerState: readTrainerState(join(directory, TRAINER_STATE)),
    // a plain Uint8Array: what is decoded from a Buffer would be Buffers, whose `slice` does not copy
    pending: decode(new Uint8Array(await readFile(join(directory, PENDING)))),
  }
}

const TRAINER_STATE = 'trainer_state.safetensors'
const PENDING = 'pending.bin'
const STATE = 'state.json'

/** `state.json`: all that a person may want to read. */
type State = Omit<Snapshot, 'adapter' | 'trainerState' | 'pending'>

const stateOf = ({ adapter: _, trainerState: __, pending: ___, ...state }: Snapshot): State => state

function readTrainerState(path: string): ReadonlyMap<string, StateTensor> {
  const file = openSafetensors(path)
  try {
    return new Map(file.names.map((name) => [name, readTensor(file, name)]))
  } finally {
    file.close()
  }
}

function readTensor(file: SafetensorsFile, name: string): StateTensor {
  const { dtype, shape } = file.info(name)
  const { buffer } = file.bytes(name)
  if (dtype === 'F64') return { dtype: 'f64', shape, data: new Float64Array(buffer) }
  if (dtype === 'I32') return { dtype: 'i32', shape, data: new Int32Array(buffer) }
  return { dtype: 'f32', shape, data: new Float32Array(buffer) }
}
