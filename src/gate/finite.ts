import { nonFiniteTensor } from '../adapters/weights/adapter.js'
import { type Check, finding } from './check.js'

/** `finite`: no number of the adapter is NaN or infinite. */
export const finiteCheck: Check = {
  name: 'finite',
  async run({ candidate }) {
    const bad = nonFiniteTensor(candidate.adapter.tensors)
    return finding({ outcome: bad === null ? 'passed' : 'refused', detail: bad && `tensor ${bad}` })
  },
}
