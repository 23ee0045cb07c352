/** What a file is in place of what it was taken for, and what to do about it. */
export interface ForeignFile {
  readonly what: string
  readonly remedy: string
}

/** As many bytes as `foreignFile` wants to see. */
export const FOREIGN_HEAD_BYTES = 256

/**
 * Looks at the first bytes of a file that should hold JSON or tensors; null if nothing speaks against that.
 * A git checkout without Git LFS, a failed download and an export in another format are what people really have.
 */
export function foreignFile(head: Uint8Array): ForeignFile | null {
  const bytes = head.subarray(0, FOREIGN_HEAD_BYTES)
  const text = Buffer.from(bytes).toString('latin1')
  if (text.startsWith('version https://git-lfs.github.com/spec/'))
    return {
      what: 'is a Git LFS pointer: the file itself was not fetched',
      remedy: 'Run `git lfs install` and `git lfs pull` in its repository, or download it with `hf download`.',
    }
  if (/^\s*<(!doctype|html|\?xml)/i.test(text.replace(/^\u00ef\u00bb\u00bf/, '')))
    return { what: 'is a web page', remedy: 'The download gave an error page: download the file itself.' }
  for (const [magic, what, remedy] of MAGICS) if (text.startsWith(magic)) return { what, remedy }
  return null
}

const AS_JSON = 'Save it as JSON in UTF-8.'
const AS_LINES =
  'Turn its rows into events with `bcod import --from trl-unpaired` or `preference`, or write them as JSON, one a line: `datasets.load_dataset(…).to_json(FILE)`.'
const AS_SAFETENSORS =
  'Convert the weights to safetensors: save_pretrained(…, safe_serialization=True) of transformers.'
const UNPACK = 'Unpack it first.'

/** How other formats begin, in Latin-1. */
const MAGICS: readonly (readonly [magic: string, what: string, remedy: string])[] = [
  ['\xff\xfe', 'is in UTF-16, not in UTF-8', AS_JSON],
  ['\xfe\xff', 'is in UTF-16, not in UTF-8', AS_JSON],
  ['GGUF', 'is a GGUF file', 'Use the original Hugging Face directory of the model: GGUF cannot be trained.'],
  ['PAR1', 'is a Parquet file', AS_LINES],
  ['\x80\x02', 'is a Python pickle', AS_SAFETENSORS],
  ['\x80\x04', 'is a Python pickle', AS_SAFETENSORS],
  ['PK\x03\x04', 'is a ZIP archive, as PyTorch writes', AS_SAFETENSORS],
  ['\x1f\x8b', 'is compressed with gzip', UNPACK],
  ['\x28\xb5\x2f\xfd', 'is compressed with zstd', UNPACK],
]
