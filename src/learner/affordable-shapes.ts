import { BcodError } from '../errors.js'
import { type PackedShape, shapeName } from '../model/packed-shape.js'

/** The device has no memory for the programs of a shape; nothing has changed. */
export class ShapeOutOfMemory extends BcodError {
  constructor(
    readonly shape: PackedShape,
    cause: BcodError,
  ) {
    super(cause.code, cause.message, { place: shapeName(shape), cause })
  }
}

/** The shapes that the device has memory for, as far as is known: it shrinks when one turns out to be too large. */
export class AffordableShapes {
  /** Tokens of the largest shape in use; null: no shape was too large so far. */
  limit: number | null = null

  /** @param compiled  every shape that the session has programs for, smallest first */
  constructor(private readonly compiled: readonly PackedShape[]) {}

  get shapes(): readonly PackedShape[] {
    const limit = this.limit ?? Number.POSITIVE_INFINITY
    return this.compiled.filter(({ tokens }) => tokens <= limit)
  }

  /** Tokens of the longest sequence that a shape in use holds; infinite as long as no shape was too large. */
  get longestSequence(): number {
    return this.limit === null ? Number.POSITIVE_INFINITY : Math.max(...this.shapes.map(({ longest }) => longest))
  }

  /**
   * Runs `compute`, and runs it again from the start with smaller shapes each time the device has no memory for one.
   *
   * @throws DEVICE_OUT_OF_MEMORY if it has none for the smallest shape either
   */
  retrySmaller<T>(compute: () => T): T {
    for (;;) {
      try {
        return compute()
      } catch (error) {
        if (!(error instanceof ShapeOutOfMemory)) throw error
        const smaller = this.shapes.filter(({ tokens }) => tokens < error.shape.tokens).at(-1)
        if (smaller === undefined) throw error
        this.limit = smaller.tokens
      }
    }
  }
}
