/** An object, or a folder if its key ends in `/`. */
export interface Listed {
  /** Without the prefix of the bucket. */
  readonly key: string
  /** When it was written, in milliseconds since the epoch; null for a folder. */
  readonly time: number | null
}

/** One page of ListObjectsV2. Our keys need no escapes in XML. */
export function listed(
  xml: string,
  prefix: string,
): { readonly entries: readonly Listed[]; readonly next: string | null } {
  const entry = (key: string | null, time: string | null): readonly Listed[] =>
    key === null ? [] : [{ key: key.slice(prefix.length), time: time === null ? null : Date.parse(time) }]
  const objects = blocks(xml, 'Contents').flatMap((text) => entry(xmlText(text, 'Key'), xmlText(text, 'LastModified')))
  const folders = blocks(xml, 'CommonPrefixes').flatMap((text) => entry(xmlText(text, 'Prefix'), null))
  const next = xmlText(xml, 'IsTruncated') === 'true' ? xmlText(xml, 'NextContinuationToken') : null
  return { entries: [...objects, ...folders], next }
}

/** What the first element of a name holds; null if there is none. */
export function xmlText(xml: string, name: string): string | null {
  const text = new RegExp(`<${name}>([^<]*)</${name}>`).exec(xml)?.[1]
  return text?.replace(/&(amp|lt|gt|quot|apos|#34|#39);/g, (_, entity: string) => ENTITIES[entity] ?? '') ?? null
}

const blocks = (xml: string, name: string): readonly string[] =>
  [...xml.matchAll(new RegExp(`<${name}>(.*?)</${name}>`, 'gs'))].map(([, text]) => text ?? '')

const ENTITIES: Readonly<Record<string, string>> = {
  ...{ amp: '&', lt: '<', gt: '>', quot: '"', apos: "'", '#34': '"', '#39': "'" },
}
