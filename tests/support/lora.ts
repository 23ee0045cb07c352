import type { readAdapter } from '../../src/adapters/weights/peft.js'
import { LINEAR_LAYERS } from '../../src/model/parameters.js'

/** The options with which a model takes an adapter that was read from a directory. */
export const loraOf = ({ r, alpha, rslora, targets }: ReturnType<typeof readAdapter>) => ({
  ...{ r, alpha, rslora },
  targets: LINEAR_LAYERS.filter((layer) => targets.includes(layer)),
})
