import type {
  backend_util,
  DataId,
  DataStorage,
  DataType as DataTypeName,
  KernelBackend,
  Tensor,
  TensorInfo,
} from '@tensorflow/tfjs-node-gpu'
import { type Attributes, attr, DataType } from './proto.js'
import type { Recorder, Ref } from './recorder.js'
import { tf } from './tensorflow.js'

export type TraceDtype = 'float32' | 'int32' | 'bool'
/** Which type matrix products run in. Everything else is computed in f32. */
export type MatmulType = 'f32' | 'bf16'

const TYPE_OF: Readonly<Record<TraceDtype, DataType>> = {
  float32: DataType.float32,
  int32: DataType.int32,
  bool: DataType.bool,
}
export const typeOf = (dtype: string): DataType => TYPE_OF[dtype as TraceDtype]

type BackendValues = backend_util.BackendValues

/** What stands behind a traced tensor: values of the host that become a constant, or a reference into a recorder. */
interface Entry {
  readonly shape: readonly number[]
  readonly dtype: TraceDtype
  host?: ArrayLike<number>
  ref?: Ref
  /** The type of `ref`; bfloat16 hides behind tfjs' float32. */
  type: DataType
  owner?: Recorder
  /** The same value cast to the other of float32 and bfloat16, once asked for. */
  cast?: Ref
  references: number
}

function hostEntry(values: BackendValues, shape: readonly number[], dtype: DataTypeName, references: number): Entry {
  return { host: values as ArrayLike<number>, shape, dtype: dtype as TraceDtype, type: typeOf(dtype), references }
}

/**
 * A tfjs backend that computes nothing: its kernels append nodes to the current recorder, so that ordinary tfjs code
 * and its automatic differentiation write a TensorFlow function. Reading a traced tensor on the host is an error.
 */
export class TracingBackend extends tf.KernelBackend {
  readonly #entries: DataStorage<Entry>
  #recorder: Recorder | null = null
  #matmulType: MatmulType = 'f32'

  constructor() {
    super()
    this.#entries = new tf.DataStorage<Entry>(this as KernelBackend, tf.engine())
  }

  /** The recorder that kernels write to. */
  get recorder(): Recorder {
    if (!this.#recorder) throw new Error('no function is being traced')
    return this.#recorder
  }

  /** Runs `body` with all kernels writing to `recorder`. */
  recordInto<T>(recorder: Recorder, body: () => T): T {
    const previous = this.#recorder
    this.#recorder = recorder
    try {
      return body()
    } finally {
      this.#recorder = previous
    }
  }

  get matmulType(): MatmulType {
    return this.#matmulType
  }

  /** Runs `body` with matrix products of this type. */
  withMatmul<T>(type: MatmulType, body: () => T): T {
    const previous = this.#matmulType
    this.#matmulType = type
    try {
      return body()
    } finally {
      this.#matmulType = previous
    }
  }

  // --- what tfjs asks of a backend

  override write(values: BackendValues, shape: number[], dtype: DataTypeName): DataId {
    const id = {}
    this.#entries.set(id, hostEntry(values, shape, dtype, 1))
    return id
  }
  override move(id: DataId, values: BackendValues, shape: number[], dtype: DataTypeName, references: number): void {
    this.#entries.set(id, hostEntry(values, shape, dtype, references))
  }
  override readSync(id: object): never {
    throw new Error(`the value of a traced tensor is not known while tracing (shape ${this.#entries.get(id).shape})`)
  }
  override async read(id: object): Promise<never> {
    return this.readSync(id)
  }
  override numDataIds(): number {
    return this.#entries.numDataIds()
  }
  override refCount(id: DataId): number {
    return this.#entries.has(id) ? this.#entries.get(id).references : 0
  }
  override incRef(id: DataId): void {
    this.#entries.get(id).references++
  }
  override disposeData(id: DataId, force = false): boolean {
    if (!this.#entries.has(id)) return true
    const entry = this.#entries.get(id)
    if (--entry.references > 0 && !force) return false
    this.#entries.delete(id)
    return true
  }
  override floatPrecision(): 32 {
    return 32
  }
  override epsilon(): number {
    return 1e-7
  }
  override memory(): { unreliable: boolean } {
    return { unreliable: false }
  }
  override dispose(): void {}

  // --- what kernels use

  /** The entry of a tensor, as a node of the current recorder. */
  #resolve(tensor: TensorInfo): Entry & { ref: Ref } {
    const entry = this.#entries.get(tensor.dataId)
    const recorder = this.recorder
    if (entry.host && entry.owner !== recorder) {
      entry.ref = this.#constant(entry.host, entry)
      entry.owner = recorder
      delete entry.cast
    }
    if (entry.owner !== recorder) throw new Error('a tensor of one traced function was used inside another')
    return entry as Entry & { ref: Ref }
  }

  #constant(host: ArrayLike<number>, { shape, dtype, type }: Entry): Ref {
    const array = { float32: Float32Array, int32: Int32Array, bool: Uint8Array }[dtype]
    const uniform = host.length > 8 && Array.prototype.every.call(host, (v) => v === host[0])
    if (!uniform) return this.recorder.constant(type, shape, array.from(host))
    const scalar = this.recorder.constant(type, [], array.of(host[0] as number))
    const attributes = { T: attr.type(type), index_type: attr.type(DataType.int32) }
    return this.recorder.node('Fill', [this.recorder.ints(shape), scalar], attributes, [type])[0] as Ref
  }

  #castTo(entry: Entry & { ref: Ref }, type: DataType): Ref {
    entry.cast ??= this.castRef(entry.ref, entry.type, type)
    this.recorder.shapes.set(entry.cast, entry.shape)
    return entry.cast
  }

  castRef(ref: Ref, from: DataType, to: DataType): Ref {
    const attributes = { SrcT: attr.type(from), DstT: attr.type(to), Truncate: attr.bool(false) }
    return this.recorder.node('Cast', [ref], attributes, [to])[0] as Ref
  }

  /** Reference to the value in the type that tfjs sees (bfloat16 is cast to float32). */
  ref(tensor: TensorInfo): Ref {
    const entry = this.#resolve(tensor)
    return entry.type === DataType.bfloat16 ? this.#castTo(entry, DataType.float32) : entry.ref
  }

  /** Reference to the value as bfloat16. */
  refBfloat16(tensor: TensorInfo): Ref {
    const entry = this.#resolve(tensor)
    return entry.type === DataType.bfloat16 ? entry.ref : this.#castTo(entry, DataType.bfloat16)
  }

  /** Reference to the value in the type it is held in, and that type. */
  raw(tensor: TensorInfo): { ref: Ref; type: DataType } {
    const { ref, type } = this.#resolve(tensor)
    return { ref, type }
  }

  /** What a kernel answers: `ref` under a new data id. */
  info(ref: Ref, shape: readonly number[], dtype: TraceDtype, type: DataType = typeOf(dtype)): TensorInfo {
    const id = {}
    this.#entries.set(id, { ref, shape, dtype, type, owner: this.recorder, references: 1 })
    this.recorder.shapes.set(ref, shape)
    return { dataId: id, shape: [...shape], dtype }
  }

  /** A tfjs tensor that stands for `ref`. */
  tensor(ref: Ref, shape: readonly number[], dtype: TraceDtype = 'float32', type: DataType = typeOf(dtype)): Tensor {
    return tf.engine().makeTensorFromTensorInfo(this.info(ref, shape, dtype, type))
  }

  /** Appends an operation with one output. */
  op(name: string, inputs: readonly Ref[], attributes: Attributes, type: DataType): Ref {
    return this.recorder.node(name, inputs, attributes, [type])[0] as Ref
  }
}

/** Its name in tfjs. */
export const TRACING_BACKEND = 'bcod-trace'

export const backend = new TracingBackend()
tf.registerBackend(TRACING_BACKEND, () => backend as KernelBackend)
tf.setBackend(TRACING_BACKEND)
