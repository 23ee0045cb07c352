import type { LogRecord } from '../events/types.js'

/** Headers by name, in order; Kafka allows a name more than once, its values are an array then. */
export type RawHeaders = readonly (readonly [name: string, value: Uint8Array | readonly Uint8Array[]])[]

/** A record that repeats a header, or names one like an index of an array, also has its headers as they came. */
export interface ReadRecord extends LogRecord {
  readonly rawHeaders?: RawHeaders
}

/**
 * V8 keeps a property that is named like an index in an array of up to 5,000 slots, 40 KB, whatever else the object
 * has: a record of 20 bytes must not take that. So `headers` leaves such names out, which nothing looks for.
 */
export const isIndex = (name: string): boolean => INDEX.test(name)

const INDEX = /^\d{1,10}$/
