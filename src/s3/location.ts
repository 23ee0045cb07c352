/** Where objects are. */
export interface Location {
  readonly bucket: string
  /** Empty, or ends in `/`. */
  readonly prefix: string
}

/** `s3://bucket/prefix`; null for anything else. Names that need no escapes only. */
export function parseLocation(text: string): Location | null {
  const [, bucket, path = ''] = /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:\/([\w./-]*))?$/.exec(text) ?? []
  const parts = path.split('/').filter((part) => part !== '')
  if (bucket === undefined || parts.some((part) => /^\.+$/.test(part))) return null
  return { bucket, prefix: parts.map((part) => `${part}/`).join('') }
}
