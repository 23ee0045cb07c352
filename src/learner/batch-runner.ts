import type { InputValue, Later, Session } from '../engine/index.js'
import { BcodError } from '../errors.js'
import type { PackedShape } from '../model/packed-shape.js'
import { ShapeOutOfMemory } from './affordable-shapes.js'
import { type BatchLayout, type PackedBatch, packBatch } from './packed-batch.js'
import { programName, type ShapeProgram } from './programs.js'
import type { ShapePrograms } from './shape-programs.js'
import type { TokenPair } from './token-trees.js'

/** What a program computed of a packed batch. */
export interface BatchResult {
  readonly outputs: ReturnType<Session['run']>
  /** The parts that each row's prompt is cut into. */
  readonly promptParts: PackedBatch['promptParts']
}

/** What a program takes beside the batch. */
export interface Beside {
  readonly inputs?: Readonly<Record<string, InputValue>>
  /** Tokens before every sequence that are not in the batch: its positions count from there. @default 0 */
  readonly before?: number
}

/** Runs the programs of packed batches in a session, which gets each when it is first needed. */
export class BatchRunner {
  constructor(
    private readonly session: Session,
    private readonly programs: ShapePrograms,
  ) {}

  /**
   * Begins a program at a place.
   *
   * @throws ShapeOutOfMemory now or later
   */
  start(
    kind: ShapeProgram,
    events: readonly TokenPair[],
    layout: BatchLayout,
    place: number,
    { inputs = {}, before = 0 }: Beside = {},
  ): Later<BatchResult> {
    const { shape } = layout
    const name = programName(kind, shape)
    const { inputs: own, promptParts } = packBatch(events, layout, this.programs.targetCapacity(shape))
    const positionIds = own.positionIds.map((position) => position + before)
    const all = { ...own, positionIds, ...inputs }
    const wait = namingShape(shape, () => {
      if (!this.session.has(name)) this.session.extend(() => this.programs.trace(kind, shape))
      return this.session.start(name, all, place)
    })
    return () => ({ outputs: namingShape(shape, wait), promptParts })
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
