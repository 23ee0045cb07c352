import { BcodError } from '../../errors.js'

/** An offset of kafkajs as a number. @throws KAFKA_OFFSET_TOO_LARGE if it would lose precision */
export function toOffset(text: string): number {
  const offset = Number(text)
  if (!Number.isSafeInteger(offset)) throw new BcodError('KAFKA_OFFSET_TOO_LARGE', `the offset is ${text}`)
  return offset
}

/** The offset as Kafka's client takes it. Throws INTERNAL on anything but a whole number from 0 to 2^53 − 1. */
export function fromOffset(offset: number): string {
  if (!Number.isSafeInteger(offset) || offset < 0) throw new BcodError('INTERNAL', `${offset} is not an offset`)
  return String(offset)
}
