import { InvalidArgumentError } from 'commander'

/** Reads a flag's value as an integer from `min` on. */
export const integerFrom =
  (min: number) =>
  (value: string): number => {
    const number = Number(value)
    if (value.trim() === '' || !Number.isSafeInteger(number) || number < min)
      throw new InvalidArgumentError(`expected an integer from ${min} on`)
    return number
  }

/** Reads a flag's value as a finite number from `min` on. */
export const numberFrom =
  (min: number) =>
  (value: string): number => {
    const number = Number(value)
    if (value.trim() === '' || !Number.isFinite(number) || number < min)
      throw new InvalidArgumentError(`expected a number from ${min} on`)
    return number
  }
