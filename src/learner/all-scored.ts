import { BcodError } from '../errors.js'

/**
 * Figures of pairs of which none may be left out.
 * @throws DEVICE_OUT_OF_MEMORY if the device had no memory for one
 */
export function allScored(values: readonly (number | null)[]): readonly number[] {
  if (values.every((value) => value !== null)) return values
  throw new BcodError('DEVICE_OUT_OF_MEMORY', 'a pair is too long for the memory of the device')
}
