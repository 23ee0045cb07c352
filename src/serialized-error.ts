import { BcodError, type ErrorCode } from './errors.js'

/** An error on its way between threads or processes: classes do not survive the copy. */
export interface SerializedError {
  readonly code: ErrorCode
  readonly message: string
  readonly place: string | undefined
  readonly remedy: string | undefined
}

/** @param place  of an error that has no code: which thread or process */
export function serializeError(error: unknown, place: string): SerializedError {
  if (error instanceof BcodError)
    return { code: error.code, message: error.message, place: error.place, remedy: error.remedy }
  const message = error instanceof Error ? (error.stack ?? error.message) : String(error)
  return { code: 'INTERNAL', message, place, remedy: undefined }
}

export function deserializeError({ code, message, place, remedy }: SerializedError): BcodError {
  return new BcodError(code, message, {
    ...(place === undefined ? {} : { place }),
    ...(remedy === undefined ? {} : { remedy }),
  })
}
