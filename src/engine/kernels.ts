/** Kernels of the tracing backend: each appends the TensorFlow operation of the same meaning. */
import type { Tensor, TensorInfo } from '@tensorflow/tfjs-node-gpu'
import { type Attributes, attr, DataType } from './proto.js'
import { tf } from './tensorflow.js'
import { backend, type TraceDtype, typeOf } from './tracing-backend.js'

type Inputs = Record<string, TensorInfo>
type Attrs = Record<string, unknown>

function kernel(kernelName: string, run: (inputs: Inputs, attrs: Attrs) => TensorInfo | TensorInfo[]): void {
  tf.registerKernel({
    kernelName,
    backendName: 'bcod-trace',
    kernelFunc: ({ inputs, attrs }) => run(inputs as Inputs, (attrs ?? {}) as Attrs),
  })
}

const T = (dtype: string) => attr.type(typeOf(dtype))
const INT = attr.type(DataType.int32)
const dtypeOf = (tensor: TensorInfo) => tensor.dtype as TraceDtype
const broadcast = (a: readonly number[], b: readonly number[]) =>
  tf.backend_util.assertAndGetBroadcastShape([...a], [...b])

/** One input and one output of the same shape and type. */
for (const name of [
  ...['Exp', 'Expm1', 'Log', 'Neg', 'Rsqrt', 'Sqrt', 'Square', 'Sigmoid', 'Tanh', 'Cos', 'Sin', 'Abs'],
  ...['Softplus', 'ZerosLike', 'Floor'],
])
  kernel(name, (inputs) => {
    const x = inputs.x as TensorInfo
    return backend.info(backend.op(name, [backend.ref(x)], { T: T(x.dtype) }, typeOf(x.dtype)), x.shape, dtypeOf(x))
  })

kernel('IsFinite', ({ x }) => {
  const input = x as TensorInfo
  return backend.info(
    backend.op('IsFinite', [backend.ref(input)], { T: T(input.dtype) }, DataType.bool),
    input.shape,
    'bool',
  )
})
kernel('LogicalNot', ({ x }) => {
  const input = x as TensorInfo
  return backend.info(backend.op('LogicalNot', [backend.ref(input)], {}, DataType.bool), input.shape, 'bool')
})
kernel('LogicalAnd', ({ a, b }) => {
  const [x, y] = [a as TensorInfo, b as TensorInfo]
  return backend.info(
    backend.op('LogicalAnd', [backend.ref(x), backend.ref(y)], {}, DataType.bool),
    broadcast(x.shape, y.shape),
    'bool',
  )
})
kernel('All', ({ x }, { axis, keepDims }) => {
  const input = x as TensorInfo
  const { axes, shape } = reduction(input.shape, axis as number | number[] | undefined, keepDims === true)
  const attributes = { Tidx: INT, keep_dims: attr.bool(keepDims === true) }
  return backend.info(
    backend.op('All', [backend.ref(input), backend.recorder.ints(axes)], attributes, DataType.bool),
    shape,
    'bool',
  )
})

/** Two inputs that broadcast against each other. */
const BINARY: readonly [kernel: string, op: string, result?: TraceDtype][] = [
  ['Add', 'AddV2'],
  ['Sub', 'Sub'],
  ['Multiply', 'Mul'],
  ['RealDiv', 'RealDiv'],
  ['Pow', 'Pow'],
  ['Maximum', 'Maximum'],
  ['Minimum', 'Minimum'],
  ['Equal', 'Equal', 'bool'],
  ['NotEqual', 'NotEqual', 'bool'],
  ['Greater', 'Greater', 'bool'],
  ['GreaterEqual', 'GreaterEqual', 'bool'],
  ['Less', 'Less', 'bool'],
  ['LessEqual', 'LessEqual', 'bool'],
]
for (const [name, op, result] of BINARY)
  kernel(name, (inputs) => {
    const [a, b] = [inputs.a as TensorInfo, inputs.b as TensorInfo]
    const dtype = result ?? dtypeOf(a)
    const ref = backend.op(op, [backend.ref(a), backend.ref(b)], { T: T(a.dtype) }, typeOf(dtype))
    return backend.info(ref, broadcast(a.shape, b.shape), dtype)
  })

kernel('AddN', (inputs) => {
  const tensors = Object.values(inputs)
  const first = tensors[0] as TensorInfo
  const attributes = { N: attr.int(tensors.length), T: T(first.dtype) }
  const ref = backend.op(
    'AddN',
    tensors.map((t) => backend.ref(t)),
    attributes,
    typeOf(first.dtype),
  )
  return backend.info(ref, first.shape, dtypeOf(first))
})

function alias(x: TensorInfo, shape = x.shape): TensorInfo {
  backend.incRef(x.dataId)
  return { dataId: x.dataId, shape, dtype: x.dtype }
}
kernel('Identity', ({ x }) => alias(x as TensorInfo))

kernel('Cast', ({ x }, { dtype }) => {
  const input = x as TensorInfo
  if (dtype === input.dtype) return alias(input)
  const to = dtype as TraceDtype
  return backend.info(backend.castRef(backend.ref(input), typeOf(input.dtype), typeOf(to)), input.shape, to)
})

/** Bits of an int32 tensor read as float32. */
kernel('BitcastFloat', ({ x }) => {
  const input = x as TensorInfo
  const attributes = { T: INT, type: attr.type(DataType.float32) }
  return backend.info(backend.op('Bitcast', [backend.ref(input)], attributes, DataType.float32), input.shape, 'float32')
})

// Reshape, Transpose, GatherV2 and Slice move values without touching them: bfloat16 stays bfloat16
function reshape(x: TensorInfo, shape: readonly number[]): TensorInfo {
  const { ref, type } = backend.raw(x)
  const attributes = { T: attr.type(type), Tshape: INT }
  return backend.info(
    backend.op('Reshape', [ref, backend.recorder.ints(shape)], attributes, type),
    shape,
    dtypeOf(x),
    type,
  )
}
kernel('Reshape', ({ x }, { shape }) => {
  const input = x as TensorInfo
  return reshape(input, tf.util.inferFromImplicitShape(shape as number[], tf.util.sizeFromShape(input.shape)))
})
kernel('ExpandDims', ({ input }, { dim }) => {
  const x = input as TensorInfo
  const shape = [...x.shape]
  const axis = dim as number
  shape.splice(axis < 0 ? shape.length + 1 + axis : axis, 0, 1)
  return reshape(x, shape)
})
kernel('Transpose', ({ x }, { perm }) => {
  const input = x as TensorInfo
  const order = perm as number[]
  const { ref, type } = backend.raw(input)
  const attributes = { T: attr.type(type), Tperm: INT }
  const out = backend.op('Transpose', [ref, backend.recorder.ints(order)], attributes, type)
  return backend.info(
    out,
    order.map((axis) => input.shape[axis] as number),
    dtypeOf(input),
    type,
  )
})
kernel('GatherV2', (inputs, { axis, batchDims }) => {
  const [x, indices] = [inputs.x as TensorInfo, inputs.indices as TensorInfo]
  const { ref, type } = backend.raw(x)
  const at = axis as number
  const attributes = {
    Tparams: attr.type(type),
    Tindices: INT,
    Taxis: INT,
    batch_dims: attr.int((batchDims as number) ?? 0),
  }
  const out = backend.op('GatherV2', [ref, backend.ref(indices), backend.recorder.int(at)], attributes, type)
  return backend.info(out, [...x.shape.slice(0, at), ...indices.shape, ...x.shape.slice(at + 1)], dtypeOf(x), type)
})

function reduction(shape: readonly number[], axis: number | number[] | undefined, keepDims: boolean) {
  const axes = tf.util.parseAxisParam(axis ?? shape.map((_, i) => i), [...shape])
  const kept = shape.map((size, i) => (axes.includes(i) ? 1 : size))
  return { axes, shape: keepDims ? kept : shape.filter((_, i) => !axes.includes(i)) }
}
for (const name of ['Sum', 'Mean', 'Max', 'Min'])
  kernel(name, (inputs, attrs) => {
    const x = inputs.x as TensorInfo
    const keepDims = attrs.keepDims === true
    const { axes, shape } = reduction(x.shape, (attrs.axis ?? attrs.reductionIndices) as number | number[], keepDims)
    const attributes = { T: T(x.dtype), Tidx: INT, keep_dims: attr.bool(keepDims) }
    const ref = backend.op(name, [backend.ref(x), backend.recorder.ints(axes)], attributes, typeOf(x.dtype))
    return backend.info(ref, shape, dtypeOf(x))
  })
kernel('ArgMax', ({ x }, { axis }) => {
  const input = x as TensorInfo
  const attributes = { T: T(input.dtype), Tidx: INT, output_type: INT }
  const at = tf.util.parseAxisParam(axis as number, input.shape)[0] as number
  const ref = backend.op('ArgMax', [backend.ref(input), backend.recorder.int(at)], attributes, DataType.int32)
  return backend.info(
    ref,
    input.shape.filter((_, i) => i !== at),
    'int32',
  )
})

kernel('Softmax', ({ logits }) => {
  const x = logits as TensorInfo
  return backend.info(
    backend.op('Softmax', [backend.ref(x)], { T: T('float32') }, DataType.float32),
    x.shape,
    'float32',
  )
})

kernel('BatchMatMul', (inputs, attrs) => {
  const [a, b] = [inputs.a as TensorInfo, inputs.b as TensorInfo]
  const [transposeA, transposeB] = [attrs.transposeA === true, attrs.transposeB === true]
  const rows = a.shape.at(transposeA ? -1 : -2) as number
  const columns = b.shape.at(transposeB ? -2 : -1) as number
  const shape = [...broadcast(a.shape.slice(0, -2), b.shape.slice(0, -2)), rows, columns]
  const low = backend.matmulType === 'bf16'
  const type = low ? DataType.bfloat16 : DataType.float32
  const operands = [a, b].map((t) => (low ? backend.refBfloat16(t) : backend.ref(t)))
  const attributes: Attributes = { T: attr.type(type), adj_x: attr.bool(transposeA), adj_y: attr.bool(transposeB) }
  return backend.info(backend.op('BatchMatMulV2', operands, attributes, type), shape, 'float32', type)
})

kernel('Slice', ({ x }, { begin, size }) => {
  const input = x as TensorInfo
  const [from, sizes] = tf.slice_util.parseSliceParams(input as Tensor, begin as number[], size as number[]) as [
    number[],
    number[],
  ]
  const ints = [from, sizes].map((values) => backend.recorder.ints(values))
  const { ref, type } = backend.raw(input)
  const out = backend.op('Slice', [ref, ...ints], { T: attr.type(type), Index: INT }, type)
  return backend.info(out, sizes, dtypeOf(input), type)
})
kernel('Reverse', ({ x }, { dims }) => {
  const input = x as TensorInfo
  const { ref, type } = backend.raw(input)
  const axes = backend.recorder.ints(tf.util.parseAxisParam(dims as number | number[], input.shape))
  const out = backend.op('ReverseV2', [ref, axes], { T: attr.type(type), Tidx: INT }, type)
  return backend.info(out, input.shape, dtypeOf(input), type)
})
kernel('PadV2', ({ x }, { paddings, constantValue }) => {
  const input = x as TensorInfo
  const pads = paddings as [number, number][]
  const table = backend.recorder.constant(DataType.int32, [pads.length, 2], Int32Array.from(pads.flat()))
  const fill = backend.recorder.float(constantValue as number)
  const ref = backend.op(
    'PadV2',
    [backend.ref(input), table, fill],
    { T: T('float32'), Tpaddings: INT },
    DataType.float32,
  )
  return backend.info(
    ref,
    input.shape.map((size, i) => size + (pads[i]?.[0] ?? 0) + (pads[i]?.[1] ?? 0)),
    'float32',
  )
})
kernel('Concat', (inputs, { axis }) => {
  const tensors = Object.values(inputs)
  const first = tensors[0] as TensorInfo
  const at = tf.util.parseAxisParam(axis as number, first.shape)[0] as number
  const shape = [...first.shape]
  shape[at] = tensors.reduce((sum, t) => sum + (t.shape[at] as number), 0)
  const raw = tensors.map((t) => backend.raw(t))
  const low = raw.every(({ type }) => type === DataType.bfloat16)
  const type = low ? DataType.bfloat16 : typeOf(first.dtype)
  const attributes = { N: attr.int(tensors.length), T: attr.type(type), Tidx: INT }
  const refs = [...(low ? raw.map(({ ref }) => ref) : tensors.map((t) => backend.ref(t))), backend.recorder.int(at)]
  return backend.info(backend.op('ConcatV2', refs, attributes, type), shape, dtypeOf(first), type)
})
/** Matrices side by side, in the type of matrix products. */
kernel('Beside', (inputs) => {
  const [a, b] = [inputs.a as TensorInfo, inputs.b as TensorInfo]
  const low = backend.matmulType === 'bf16'
  const type = low ? DataType.bfloat16 : DataType.float32
  const refs = [a, b].map((t) => (low ? backend.refBfloat16(t) : backend.ref(t)))
  const attributes = { N: attr.int(2), T: attr.type(type), Tidx: INT }
  const ref = backend.op('ConcatV2', [...refs, backend.recorder.int(1)], attributes, type)
  return backend.info(ref, [a.shape[0] as number, (a.shape[1] as number) + (b.shape[1] as number)], 'float32', type)
})
kernel('SplitV', ({ x }, { numOrSizeSplits, axis }) => {
  const input = x as TensorInfo
  const at = tf.util.parseAxisParam(axis as number, input.shape)[0] as number
  const sizes = tf.backend_util.prepareSplitSize(input as Tensor, numOrSizeSplits as number | number[], at)
  const { ref, type } = backend.raw(input)
  const attributes = { num_split: attr.int(sizes.length), T: attr.type(type), Tlen: INT }
  const operands = [ref, backend.recorder.ints(sizes), backend.recorder.int(at)]
  const refs = backend.recorder.node(
    'SplitV',
    operands,
    attributes,
    sizes.map(() => type),
  )
  return refs.map((ref, i) =>
    backend.info(
      ref,
      input.shape.map((size, d) => (d === at ? (sizes[i] as number) : size)),
      dtypeOf(input),
      type,
    ),
  )
})
kernel('OneHot', ({ indices }, { depth, onValue, offValue }) => {
  const x = indices as TensorInfo
  const { recorder } = backend
  const attributes = { T: T('float32'), TI: INT, axis: attr.int(-1) }
  const operands = [
    backend.ref(x),
    recorder.int(depth as number),
    recorder.float(onValue as number),
    recorder.float(offValue as number),
  ]
  return backend.info(
    backend.op('OneHot', operands, attributes, DataType.float32),
    [...x.shape, depth as number],
    'float32',
  )
})
kernel('Select', (inputs) => {
  const [condition, t, e] = [inputs.condition as TensorInfo, inputs.t as TensorInfo, inputs.e as TensorInfo]
  const ref = backend.op(
    'SelectV2',
    [condition, t, e].map((x) => backend.ref(x)),
    { T: T(t.dtype) },
    typeOf(t.dtype),
  )
  return backend.info(ref, broadcast(broadcast(condition.shape, t.shape), e.shape), dtypeOf(t))
})
kernel('Tile', ({ x }, { reps }) => {
  const input = x as TensorInfo
  const times = reps as number[]
  const attributes = { T: T(input.dtype), Tmultiples: INT }
  const ref = backend.op('Tile', [backend.ref(input), backend.recorder.ints(times)], attributes, typeOf(input.dtype))
  return backend.info(
    ref,
    input.shape.map((size, i) => size * (times[i] as number)),
    dtypeOf(input),
  )
})
kernel('BroadcastTo', ({ x }, { shape }) => {
  const input = x as TensorInfo
  const attributes = { T: T(input.dtype), Tidx: INT }
  const ref = backend.op(
    'BroadcastTo',
    [backend.ref(input), backend.recorder.ints(shape as number[])],
    attributes,
    typeOf(input.dtype),
  )
  return backend.info(ref, shape as number[], dtypeOf(input))
})
/**
 * Sums of single numbers are taken in f64: the kernel adds one after the other, which over a completion of 500 tokens
 * loses more digits of a summed log-probability than everything before it.
 */
kernel('UnsortedSegmentSum', ({ x, segmentIds }, { numSegments }) => {
  const [input, ids] = [x as TensorInfo, segmentIds as TensorInfo]
  const wide = input.shape.length === 1 && input.dtype === 'float32'
  const type = wide ? DataType.float64 : typeOf(input.dtype)
  const cast = (ref: string, from: DataType, to: DataType) =>
    backend.op('Cast', [ref], { SrcT: attr.type(from), DstT: attr.type(to), Truncate: attr.bool(false) }, to)
  const values = wide ? cast(backend.ref(input), DataType.float32, type) : backend.ref(input)
  const operands = [values, backend.ref(ids), backend.recorder.int(numSegments as number)]
  const attributes = { T: attr.type(type), Tindices: INT, Tnumsegments: INT }
  const sums = backend.op('UnsortedSegmentSum', operands, attributes, type)
  const shape = [numSegments as number, ...input.shape.slice(ids.shape.length)]
  return backend.info(wide ? cast(sums, type, DataType.float32) : sums, shape, dtypeOf(input))
})
kernel('Range', (_, { start, stop, step, dtype }) => {
  const [from, to, by] = [start as number, stop as number, (step as number) ?? 1]
  const to32 = (v: number) => (dtype === 'int32' ? backend.recorder.int(v) : backend.recorder.float(v))
  const type = typeOf(dtype as string)
  const ref = backend.op('Range', [to32(from), to32(to), to32(by)], { Tidx: attr.type(type) }, type)
  return backend.info(ref, [Math.max(0, Math.ceil((to - from) / by))], dtype as TraceDtype)
})
/** Uniform numbers in [0, 1) that depend on the seed (int32[2]) alone. */
kernel('StatelessUniform', ({ seed }, { shape }) => {
  const attributes = { dtype: T('float32'), T: INT, Tseed: INT }
  const operands = [backend.recorder.ints(shape as number[]), backend.ref(seed as TensorInfo)]
  return backend.info(
    backend.op('StatelessRandomUniform', operands, attributes, DataType.float32),
    shape as number[],
    'float32',
  )
})
/** Cross-entropy of each row and its gradient with respect to the logits, in one pass. */
kernel('SparseCrossEntropy', (inputs) => {
  const [logits, labels] = [inputs.logits as TensorInfo, inputs.labels as TensorInfo]
  const attributes = { T: T('float32'), Tlabels: INT }
  const operands = [backend.ref(logits), backend.ref(labels)]
  const types = [DataType.float32, DataType.float32] as const
  const [loss, gradient] = backend.recorder.node(
    'SparseSoftmaxCrossEntropyWithLogits',
    operands,
    attributes,
    types,
  ) as [string, string]
  return [backend.info(loss, labels.shape, 'float32'), backend.info(gradient, logits.shape, 'float32')]
})
