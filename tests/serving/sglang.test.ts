import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import { sglang } from '../../src/serving/sglang.js'
import { errorOf } from '../support/checkpoints.js'

const NAME = 'bcod-v00000050'
const DIRECTORY = '/state/adapters/v00000050'

/**
 * Answers by SGLang's documentation, with the fields of the example outputs on its page LoRA Serving. No real server was
 * recorded.
 */
async function start(settings: { readonly refuses?: string } = {}) {
  const adapters = new Map<string, string>()
  const requests: { readonly path: string; readonly body: Record<string, unknown> }[] = []
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const body = chunks.length === 0 ? {} : JSON.parse(Buffer.concat(chunks).toString())
    const path = request.url ?? ''
    requests.push({ path, body })
    const [status, answer] = answerTo(path, body)
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(answer))
  })
  function answerTo(path: string, body: Record<string, unknown>): readonly [number, unknown] {
    const name = String(body.lora_name)
    const updated = (error: string) =>
      [
        error === '' ? 200 : 400,
        { rid: null, success: error === '', error_message: error, loaded_adapters: Object.fromEntries(adapters) },
      ] as const
    switch (path) {
      case '/load_lora_adapter':
        if (settings.refuses !== undefined) return updated(settings.refuses)
        adapters.set(name, String(body.lora_path))
        return updated('')
      case '/unload_lora_adapter':
        return updated(adapters.delete(name) ? '' : `LoRA with name ${name} does not exist`)
      case '/generate': {
        const top = (body.input_ids as number[]).map((id) => [-id / 10, id, null])
        return [200, { text: '', meta_info: { output_token_logprobs: [top[0]], output_top_logprobs: [top] } }]
      }
      default: {
        const loaded = [...adapters].map(([id, root]) => ({ id, root, parent: 'base', max_model_len: null }))
        return [200, { object: 'list', data: [{ id: 'base', root: 'base', parent: null }, ...loaded] }]
      }
    }
  }
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return { driver: sglang({ url, place: url, address: null, apiKey: null, timeout: 1_000 }), requests, adapters }
}

describe('SGLang', () => {
  it('loads, lists and unloads a version', async () => {
    const { driver, requests } = await start()
    await driver.load(NAME, DIRECTORY)
    expect(requests).toEqual([{ path: '/load_lora_adapter', body: { lora_name: NAME, lora_path: DIRECTORY } }])
    expect(await driver.models()).toEqual({ base: 'base', adapters: new Map([[NAME, DIRECTORY]]) })
    await driver.unload(NAME)
    await driver.unload(NAME)
    expect((await driver.models()).adapters.size).toBe(0)
  })

  it('is asked for a load once if it refuses it', async () => {
    const { driver, requests } = await start({ refuses: 'rank 64 is above max_lora_rank 16' })
    const error = await errorOf(() => driver.load(NAME, DIRECTORY))
    expect(error).toMatchObject({ code: 'SERVING_REFUSED', retryable: false })
    expect(error.message).toBe('status 400: rank 64 is above max_lora_rank 16')
    expect(requests).toHaveLength(1)
  })

  it('gives the likeliest tokens after a prompt, under the adapter or the base model', async () => {
    const { driver, requests } = await start()
    expect(await driver.likeliest({ name: NAME, isBase: false }, [5, 6, 7])).toEqual([
      { id: 5, logp: -0.5 },
      { id: 6, logp: -0.6 },
      { id: 7, logp: -0.7 },
    ])
    await driver.likeliest({ name: 'base', isBase: true }, [5, 6, 7])
    expect(requests.map(({ body }) => body.lora_path)).toEqual([NAME, undefined])
    expect(requests[0]?.body).toMatchObject({ input_ids: [5, 6, 7], return_logprob: true, top_logprobs_num: 4 })
  })
})
