import type { InputValue, Later, Session } from '../engine/index.js'
import { BcodError } from '../errors.js'
import { type PackedShape, shapeName } from '../model/packed-shape.js'
import { ShapeOutOfMemory } from './affordable-shapes.js'
import { type BatchLayout, type PackedBatch, packBatch } from './packed-batch.js'
import { programName, type ShapeProgram } from './programs.js'
import type { TokenPair } from './token-trees.js'

/** What a program computed of a packed batch. */
export interface BatchResult {
  readonly outputs: ReturnType<Session['run']>
  /** The parts that each row's prompt is cut into. */
  readonly promptParts: PackedBatch['promptParts']
}

/** What stands before every sequence of a batch, and is not in it. */
export interface Before {
  /** In tokens: the batch's positions count from there. */
  readonly length: number
  readonly inputs: Readonly<Record<string, InputValue>>
}

/** Runs the programs of packed batches in a session. */
export class BatchRunner {
  /** @param targetCapacity  completion tokens that a batch has room for, by the name of its shape */
  constructor(
    private readonly session: Session,
    private readonly targetCapacity: ReadonlyMap<string, number>,
  ) {}

  /**
   * Begins a program at a place.
   *
   * @param inputs  beside those that say what the batch holds
   * @throws ShapeOutOfMemory now or later
   */
  start(
    kind: ShapeProgram,
    events: readonly TokenPair[],
    layout: BatchLayout,
    place: number,
    inputs: Readonly<Record<string, InputValue>> = {},
  ): Later<BatchResult> {
    const { inputs: own, promptParts } = packBatch(events, layout, this.#capacity(layout))
    const wait = this.#start(kind, layout, place, { ...own, ...inputs })
    return () => ({ outputs: wait(), promptParts })
  }

  /** As `start`, of sequences behind a beginning. */
  continue(events: readonly TokenPair[], layout: BatchLayout, place: number, before: Before): Later<BatchResult> {
    const { inputs: own, promptParts } = packBatch(events, layout, this.#capacity(layout))
    const positionIds = own.positionIds.map((position) => position + before.length)
    const wait = this.#start('continue', layout, place, { ...own, positionIds, ...before.inputs })
    return () => ({ outputs: wait(), promptParts })
  }

  #capacity({ shape }: BatchLayout): number {
    const capacity = this.targetCapacity.get(shapeName(shape))
    if (capacity === undefined) throw new BcodError('INTERNAL', `shape ${shapeName(shape)} was not compiled`)
    return capacity
  }

  #start(
    kind: ShapeProgram,
    { shape }: BatchLayout,
    place: number,
    inputs: Readonly<Record<string, InputValue>>,
  ): Later<BatchResult['outputs']> {
    const wait = namingShape(shape, () => this.session.start(programName(kind, shape), inputs, place))
    return () => namingShape(shape, wait)
  }
}

function namingShape<T>(shape: PackedShape, run: () => T): T {
  try {
    return run()
  } catch (error) {
    const full = error instanceof BcodError && error.code === 'DEVICE_OUT_OF_MEMORY'
    // a beginning takes memory as well
    const tokens = Math.max(shape.tokens, shape.beginning ?? 0)
    throw full ? new ShapeOutOfMemory({ ...shape, tokens }, error) : error
  }
}

/** The used rows of an output. */
export const rowsOf = (events: readonly TokenPair[], output: ArrayLike<number> | undefined): readonly number[] =>
  events.map((_, row) => output?.[row] as number)
