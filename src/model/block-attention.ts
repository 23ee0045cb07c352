import type { Tensor } from '@tensorflow/tfjs-node-gpu'
import {
  type Arguments,
  chosen,
  defineCompiled,
  defineOption,
  type FunctionLibrary,
  indices,
  type Option,
  segmentSum,
  type Tensors,
  tf,
  withGradient,
} from '../engine/index.js'
import { type AttentionShape, MASKED, type PackedAttention, type SlotLayout } from './attention.js'
import { type QueryBlock, queryBlocks } from './query-blocks.js'

/**
 * Attention over one row that holds trees of sequences. Each block of queries has a list of the keys that any of them
 * sees, which are gathered, so that what lies on other branches costs nothing. Lists come in few sizes, and the one that
 * holds a block's keys is chosen when the program runs: one program for all trees.
 *
 * The shares are not kept for the backward pass, which computes them again: memory grows with the tokens, not with the
 * pairs of them.
 *
 * Legend: W queries of a block, C keys of a list.
 */
export function defineBlockAttention(library: FunctionLibrary, name: string, shape: AttentionShape): PackedAttention {
  const { length: T, heads: H, kvHeads: G, headDim: E } = shape
  const R = H / G
  const known = new Map<string, BlockFunctions>()
  const functionsOf = ({ start, end }: QueryBlock, capacity: number): BlockFunctions => {
    const key = `${end - start}x${capacity}`
    const found = known.get(key) ?? defineBlock(library, `${name}/${key}`, shape, { width: end - start, capacity })
    known.set(key, found)
    return found
  }
  const blocks = queryBlocks(T).map((block, index) => {
    const functions = block.capacities.map((capacity) => functionsOf(block, capacity))
    return {
      ...{ ...block, index },
      forward: functions.map((each) => each.forward),
      backward: functions.map((each) => each.backward),
    }
  })

  const queriesOf = (x_1HTE: Tensor, { start, end }: QueryBlock) =>
    tf.reshape(tf.slice(x_1HTE, [0, 0, start, 0], [1, H, end - start, E]), [G, R * (end - start), E])
  const joined = (parts_GME: readonly Tensor[]) => {
    const parts = parts_GME.map((part, i) => {
      const { start, end } = blocks[i] as QueryBlock
      return tf.reshape(part, [1, H, end - start, E])
    })
    return parts.length === 1 ? (parts[0] as Tensor) : tf.concat(parts, 2)
  }
  const argumentsOf = ({ start, index }: (typeof blocks)[number], shared: Tensors) => {
    const rowOf = (table: string) => tf.reshape(tf.slice(shared[table] as Tensor, [index, 0], [1, T]), [T])
    return {
      which: tf.reshape(tf.slice(shared.keyCapacities as Tensor, [index], [1]), []),
      lists: { slots: rowOf('keySlots'), ends: rowOf('keyEnds'), start: tf.tensor([start], [], 'int32') },
    }
  }

  return {
    shared: {
      keySlots: { shape: [blocks.length, T], dtype: 'int32' },
      keyEnds: { shape: [blocks.length, T], dtype: 'int32' },
      keyCapacities: { shape: [blocks.length], dtype: 'int32' },
    },
    sharedOf: ({ slotEnds, keySlots, keyCounts, keyCapacities }: SlotLayout) => {
      const slots = tf.reshape(keySlots as Tensor, [blocks.length, T])
      const isKey = tf.less(tf.reshape(indices(T), [1, T]), tf.reshape(keyCounts as Tensor, [blocks.length, 1]))
      // no query sees what is left of a list
      return {
        keySlots: slots,
        keyEnds: tf.mul(tf.gather(slotEnds, slots), tf.cast(isKey, 'int32')),
        keyCapacities: keyCapacities as Tensor,
      }
    },
    attend: (q_1HTE, k_1GTE, v_1GTE, shared) => {
      const rowsOf = (x: Tensor) => tf.reshape(x, [G, T, E])
      const forward = (inputs: readonly Tensor[]) => {
        const [q, k, v] = inputs as [Tensor, Tensor, Tensor]
        const outputs = blocks.map((block) => {
          const { which, lists } = argumentsOf(block, shared)
          return chosen(which, block.forward, { ...lists, q: queriesOf(q, block), k: rowsOf(k), v: rowsOf(v) }).output
        })
        const value = joined(outputs)
        return { value, kept: [q, k, v, value] }
      }
      const gradients = (dy: Tensor, saved: readonly Tensor[]) => {
        const [q, k, v, output] = saved as [Tensor, Tensor, Tensor, Tensor]
        const each = blocks.map((block) => {
          const { which, lists } = argumentsOf(block, shared)
          const queries = { q: queriesOf(q, block), output: queriesOf(output, block), d_output: queriesOf(dy, block) }
          return chosen(which, block.backward, { ...lists, ...queries, k: rowsOf(k), v: rowsOf(v) })
        })
        const total = (parts: Tensor[]) =>
          tf.reshape(parts.length === 1 ? (parts[0] as Tensor) : tf.addN(parts), [1, G, T, E])
        return [joined(each.map(({ dq }) => dq)), total(each.map(({ dk }) => dk)), total(each.map(({ dv }) => dv))]
      }
      return withGradient([q_1HTE, k_1GTE, v_1GTE], forward, gradients)
    },
  }
}

/** A block's attention, and its gradient, over a list of keys of one size. */
interface BlockFunctions {
  readonly forward: Option<'output'>
  readonly backward: Option<'dq' | 'dk' | 'dv'>
}

function defineBlock(
  library: FunctionLibrary,
  name: string,
  { length: T, heads: H, kvHeads: G, headDim: E, product }: AttentionShape,
  { width: W, capacity: C }: { readonly width: number; readonly capacity: number },
): BlockFunctions {
  const R = H / G
  const int = (...dimensions: number[]) => ({ shape: dimensions, dtype: 'int32' as const })
  const products = (...dimensions: number[]) => ({ shape: dimensions, dtype: product })
  const scores = products(G, R * W, C)
  const queries = products(G, R * W, E)
  const lists: Arguments = { slots: int(T), ends: int(T), start: int() }
  const given: Arguments = { ...lists, q: queries, k: products(G, T, E), v: products(G, T, E) }

  const masked = defineCompiled(
    library,
    `${name}/masked`,
    { scores, slots: int(C), ends: int(C), start: int() },
    { y: 'float32' },
    ({ scores: each, slots, ends, start }) => {
      const query_W1 = tf.add(tf.reshape(indices(W), [W, 1]), start as Tensor)
      const after = tf.greater(tf.reshape(slots as Tensor, [1, C]), query_W1)
      const elsewhere = tf.lessEqual(tf.reshape(ends as Tensor, [1, C]), query_W1)
      const hidden_WC = tf.maximum(tf.cast(after, 'float32'), tf.cast(elsewhere, 'float32'))
      return { y: tf.add(tf.reshape(each as Tensor, [G, R, W, C]), tf.mul(hidden_WC, MASKED)) }
    },
  )
  // the row sums are taken over the channels of the output (FlashAttention, arXiv 2205.14135, section B.2):
  // Σ_s p_s dp_s = Σ_e do_e o_e
  const softmaxGradient = defineCompiled(
    library,
    `${name}/softmax_gradient`,
    { shares: scores, d_shares: scores, output: queries, d_output: queries },
    { d_scores: product },
    ({ shares, d_shares, output, d_output }) => {
      const sums = tf.sum(tf.mul(d_output as Tensor, output as Tensor), -1, true)
      return { d_scores: tf.mul(shares as Tensor, tf.sub(d_shares as Tensor, sums)) }
    },
  )
  const listed = ({ slots, ends, start, q, k, v }: Tensors) => {
    const [at, until] = [slots, ends].map((list) => tf.slice(list as Tensor, [0], [C])) as [Tensor, Tensor]
    const [k_GCE, v_GCE] = [k, v].map((x) => tf.gather(x as Tensor, at as never, 1)) as [Tensor, Tensor]
    const seen = masked({
      scores: tf.matMul(q as Tensor, k_GCE, false, true),
      ...{ slots: at, ends: until, start: start as Tensor },
    }).y
    return { at, k_GCE, v_GCE, shares: tf.reshape(tf.softmax(seen), [G, R * W, C]) }
  }
  const matmul = product === 'bfloat16' ? 'bf16' : 'f32'
  const forward = defineOption(
    library,
    `${name}/forward`,
    { arguments: given, outputs: { output: product }, matmul },
    (args) => {
      const { shares, v_GCE } = listed(args)
      return { output: tf.matMul(shares, v_GCE) }
    },
  )
  const backward = defineOption(
    library,
    `${name}/backward`,
    {
      arguments: { ...given, output: queries, d_output: queries },
      outputs: { dq: product, dk: 'float32', dv: 'float32' },
      matmul,
    },
    (args) => {
      const { q, output, d_output } = args as Record<'q' | 'output' | 'd_output', Tensor>
      const { at, k_GCE, v_GCE, shares } = listed(args)
      const d_shares = tf.matMul(d_output, v_GCE, false, true)
      const { d_scores } = softmaxGradient({ shares, d_shares, output, d_output })
      const rows = tf.reshape(
        tf.add(tf.reshape(at, [1, C]), tf.mul(tf.reshape(indices(G), [G, 1]), tf.scalar(T, 'int32'))),
        [G * C],
      )
      const added = (d_GCE: Tensor) => segmentSum(tf.reshape(d_GCE, [G * C, E]), rows, G * T)
      return {
        dq: tf.matMul(d_scores, k_GCE),
        dk: added(tf.matMul(d_scores, q, true)),
        dv: added(tf.matMul(shares, d_output, true)),
      }
    },
  )
  return { forward, backward }
}
