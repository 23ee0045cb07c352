import { resolve } from 'node:path'
import { expect, test } from 'vitest'

const client = (folder: string): Promise<unknown> =>
  import(/* @vite-ignore */ resolve(import.meta.dirname, '../../..', folder))

test('two copies of the patches in one process are an error that names both, not a read without end', async () => {
  await client('src/streams/kafka/client.ts')
  const second = client('dist/streams/kafka/client.js')
  await expect(second).rejects.toThrow(/patched already, by \S*\/src\/\S*: \S*\/dist\/\S* is a second copy/)
})
