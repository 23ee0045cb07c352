import type { FunctionLibrary, Program } from '../engine/index.js'
import { PackedForward } from '../model/packed-forward.js'
import { type PackedShape, shapeName } from '../model/packed-shape.js'
import { type LearnerProgramOptions, type ShapeProgram, traceLearnerProgram } from './programs.js'
import { traceReferenceProgram } from './reference-programs.js'

export interface ShapeProgramOptions extends LearnerProgramOptions {
  /** Keep only the input of each layer for the backward pass. */
  readonly gradientCheckpointing: boolean
}

/**
 * The programs of each shape of packed batches. There are hundreds, and a learner runs a handful of them: each is traced
 * when it is asked for.
 */
export class ShapePrograms {
  /** By the name of their shape; what it defines is shared by all programs of the shape. */
  readonly #forwards = new Map<string, PackedForward>()

  constructor(
    private readonly library: FunctionLibrary,
    private readonly options: ShapeProgramOptions,
  ) {}

  /** Completion tokens that a batch of a shape has room for. */
  targetCapacity(shape: PackedShape): number {
    return this.#forward(shape).targetCapacity
  }

  /** Writes a program into the library. Once for each. */
  trace(kind: ShapeProgram, shape: PackedShape): Program {
    const forward = this.#forward(shape)
    return kind === 'begin' || kind === 'continue'
      ? traceReferenceProgram(this.library, kind, forward, this.options.referenceLora)
      : traceLearnerProgram(this.library, kind, forward, this.options)
  }

  #forward(shape: PackedShape): PackedForward {
    const name = shapeName(shape)
    const { model, gradientCheckpointing } = this.options
    const forward = this.#forwards.get(name) ?? new PackedForward(this.library, model, shape, gradientCheckpointing)
    this.#forwards.set(name, forward)
    return forward
  }
}
