import { describe, expect, it } from 'vitest'
import { vllm } from '../../src/serving/vllm.js'
import { errorOf } from '../support/checkpoints.js'
import { RECORDED, RecordedVllm, recorded } from '../support/recorded-vllm.js'

const NAME = 'bcod-v00000050'
const DIRECTORY = '/state/adapters/v00000050'

type Settings = Parameters<typeof RecordedVllm.start>[0]

async function start(settings: Settings = {}, apiKey: string | null = null, timeout = 10_000) {
  const server = await RecordedVllm.start(settings)
  const endpoint = { url: server.url, place: server.url, address: null, apiKey, timeout }
  return { server, driver: vllm(endpoint) }
}

describe('loading', () => {
  it('takes the bare text of a success for one, and the name is listed with its directory', async () => {
    const { driver } = await start()
    await driver.load(NAME, DIRECTORY)
    expect(await driver.models()).toEqual({ base: 'demo', adapters: new Map([[NAME, DIRECTORY]]) })
  })

  it('refuses a name that is loaded, which is never loaded in place', async () => {
    const { driver, server } = await start()
    await driver.load(NAME, DIRECTORY)
    const error = await errorOf(() => driver.load(NAME, DIRECTORY))
    expect(error).toMatchObject({ code: 'SERVING_REFUSED', retryable: false })
    expect(error.message).toContain('already been loaded')
    expect(server.bodies).toEqual([1, 2].map(() => ({ lora_name: NAME, lora_path: DIRECTORY })))
  })

  const refused = RECORDED.filter(
    ({ path, status }) => path === '/v1/load_lora_adapter' && status !== 200 && status !== 401,
  )

  it.each(refused.map(({ title, status }) => [title, status] as const))(
    'is refused for good, whatever the status: %s, %i',
    async (title, status) => {
      const { driver, server } = await start({ loadAnswer: title })
      const error = await errorOf(() => driver.load(NAME, DIRECTORY))
      expect(error).toMatchObject({ code: 'SERVING_REFUSED', retryable: false, place: server.url })
      expect(error.message).toContain(`status ${status}`)
      expect(server.requests).toEqual([`POST /v1/load_lora_adapter ${NAME}`])
    },
  )

  it.each([
    ['load: rank-above-max', '--max-lora-rank'],
    ['load: server without --enable-lora', '--enable-lora'],
    ['load: no runtime updating', 'VLLM_ALLOW_RUNTIME_LORA_UPDATING'],
    ['load: missing path', 'path of the target'],
  ])('names the option that is missing: %s, %s', async (title, option) => {
    const { driver } = await start({ loadAnswer: title })
    expect((await errorOf(() => driver.load(NAME, DIRECTORY))).remedy).toContain(option)
  })
})

describe('unloading', () => {
  it('takes the name away, and a name that is not there is no error', async () => {
    const { driver, server } = await start()
    await driver.load(NAME, DIRECTORY)
    await driver.unload(NAME)
    await driver.unload(NAME)
    expect([...server.adapters]).toEqual([])
  })
})

describe('log-probabilities', () => {
  it('are those of the likeliest tokens after a prompt, as recorded', async () => {
    const { response, request } = recorded('completion, logprobs with tokens as ids')
    expect(response).toContain('"top_logprobs":[{"token_id:418":-0.06739439815282822}')
    const { driver, server } = await start({ logp: (_, id) => -0.25 - id })
    await driver.load(NAME, DIRECTORY)
    const found = await driver.likeliest({ name: NAME, isBase: false }, [588, 321, 4])
    expect(found.map(({ id }) => id)).toEqual([4, 11, 18, 25])
    expect(found[0]).toEqual({ id: 4, logp: -4.25 })
    // the recorded request, with more tokens; prompt_logprobs would end a server with LoRA
    expect(server.bodies.at(-1)).toEqual({ ...request, model: NAME, prompt: [588, 321, 4], max_tokens: 1, logprobs: 4 })
  })

  it.each([
    ['a name that is not loaded', 'nope', () => -1, 'status 404'],
    ['an adapter of NaN', 'demo', () => Number.NaN, 'status 400'],
  ])('cannot be had of %s', async (_, name, logp, message) => {
    const { driver } = await start({ logp })
    const error = await errorOf(() => driver.likeliest({ name, isBase: false }, [5, 6, 7]))
    expect(error.code).toBe('SERVING_ANSWER')
    expect(error.message).toContain(message)
  })
})

describe('a server', () => {
  it.each([
    ['hangs', 'no answer within 300 ms'],
    ['closes the connection', 'no connection (ECONNRESET)'],
  ] as const)('that %s is unreachable, in bounded time', async (fault, message) => {
    const { driver, server } = await start({}, null, 300)
    server.fault = fault
    const started = performance.now()
    expect(await errorOf(() => driver.models())).toMatchObject({
      code: 'SERVING_UNREACHABLE',
      message,
      retryable: true,
    })
    expect(performance.now() - started).toBeLessThan(5_000)
  })

  it('that is not there is unreachable', async () => {
    const { driver, server } = await start()
    await server.close()
    expect(await errorOf(() => driver.models())).toMatchObject({ code: 'SERVING_UNREACHABLE' })
    await server.listen(0)
  })

  it('with an API key is asked with it, and refuses others', async () => {
    const { driver } = await start({ apiKey: 'sesame' }, 'sesame')
    await driver.load(NAME, DIRECTORY)
    const other = await start({ apiKey: 'sesame' }, 'abracadabra')
    const error = await errorOf(() => other.driver.load(NAME, DIRECTORY))
    expect(error.code).toBe('SERVING_UNAUTHORIZED')
    expect(`${error.line} ${error.remedy}`).not.toContain('abracadabra')
  })

  it('that answers something else is told as such', async () => {
    const { driver, server } = await start()
    server.fault = 'answers 500'
    expect(await errorOf(() => driver.models())).toMatchObject({ code: 'SERVING_ANSWER' })
  })
})
