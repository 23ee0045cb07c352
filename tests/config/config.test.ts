import { describe, expect, it } from 'vitest'
import { loadConfig } from '../../src/config/config.js'
import { refusal, scratchFile } from './scratch.js'

const load = (set: string[]) => loadConfig({ env: {}, set })

describe('defaults', () => {
  it('are the fixed ones of the design', () => {
    const config = loadConfig({ env: {} })
    expect(config.bco).toMatchObject({ mode: 'paper', beta: 0.1, deltaHalfLife: 256, reduction: 'classRate' })
    expect(config.lora).toMatchObject({ r: 16, alpha: 32, rslora: false, init: null })
    expect(config.lora.targets).toEqual(['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj'])
    expect(config.optimizer).toMatchObject({ beta1: 0.9, beta2: 0.999, eps: 1e-8, weightDecay: 0, clipNorm: 1 })
    expect(config.optimizer).toMatchObject({ schedule: 'constant', warmupSteps: 0, totalSteps: null })
    expect(config.batch.size).toBe(8)
    expect(config.ratio).toMatchObject({ mode: 'online', min: 0.5, max: 10 })
    expect(config.eval.holdOut).toBe(0)
    expect(config.server).toMatchObject({ host: '127.0.0.1', port: 9464, adminToken: null })
  })

  it('are milliseconds for durations and bytes for sizes', () => {
    const { batch, stream, limits } = loadConfig({ env: {} })
    expect(batch.maxLatency).toBe(30_000)
    expect(stream.pendingBytes).toBe(64 * 2 ** 20)
    expect(limits.maxRecordBytes).toBe(2 ** 20)
  })

  it('cannot be changed by whoever holds the configuration', () => {
    const config = loadConfig({ env: {} })
    expect(() => Object.assign(config.bco, { beta: 1 })).toThrow(TypeError)
    expect(() => (config.lora.targets as string[]).push('lm_head')).toThrow(TypeError)
  })

  it('name the dead-letter topic after the topic and put the registry beside the checkpoints', () => {
    const config = load(['stream.topic=votes', 'checkpoint.dir=/data/checkpoints'])
    expect(config.stream.dlq).toBe('votes.dlq')
    expect(config.adapters.dir).toBe('/data/adapters')
    expect(load(['stream.topic=votes', 'stream.dlq=bad']).stream.dlq).toBe('bad')
    expect(load([]).stream.dlq).toBeNull()
  })
})

describe('precedence', () => {
  const file = () => scratchFile('bcod.yaml', 'batch:\n  size: 2\n  maxLatency: 2s\n  tokens: 22\n')

  it('is file, then environment, then flags, over the defaults of the command', () => {
    const { batch, seed } = loadConfig({
      defaults: { seed: 1, batch: { size: 1, maxLatency: '1s', tokens: 11 } },
      file: file(),
      env: { BCOD_BATCH_SIZE: '3', BCOD_BATCH_MAX_LATENCY: '3s' },
      set: ['batch.size=4'],
    })
    expect({ seed, ...batch }).toMatchObject({ seed: 1, tokens: 22, maxLatency: 3000, size: 4 })
  })

  it('lets the last of two flags win', () => {
    expect(load(['seed=1', 'seed=2']).seed).toBe(2)
  })

  it('takes an empty variable as not set', () => {
    expect(loadConfig({ file: file(), env: { BCOD_BATCH_SIZE: '' } }).batch.size).toBe(2)
  })
})

describe('values', () => {
  it('of a flag are JSON, else text', () => {
    const config = load(['lora.targets=["q_proj"]', 'ratio.mode=off', 'stream.topic="votes"', 'stream.acceptGap=true'])
    expect(config.lora.targets).toEqual(['q_proj'])
    expect(config.ratio.mode).toBe('off')
    expect(config.stream).toMatchObject({ topic: 'votes', acceptGap: true })
  })

  it('are names and values where the key takes any, in a flag, a variable and a file', () => {
    const off = { enable_thinking: false }
    expect(load(['model.chatTemplateKwargs={"enable_thinking": false}']).model.chatTemplateKwargs).toEqual(off)
    const env = { BCOD_MODEL_CHAT_TEMPLATE_KWARGS: '{"enable_thinking": false}' }
    expect(loadConfig({ env }).model.chatTemplateKwargs).toEqual(off)
    const file = scratchFile('a.yaml', 'model: {chatTemplateKwargs: {enable_thinking: false}}')
    expect(loadConfig({ env: {}, file }).model.chatTemplateKwargs).toEqual(off)
    expect(refusal(() => load(['model.chatTemplateKwargs=[1]'])).code).toBe('CONFIG_INVALID')
  })

  it('of a flag stay text where the key is a text', () => {
    expect(load(['model.path=123', 'stream.topic=true']).model.path).toBe('123')
    expect(load(['model.path={"a":1}']).model.path).toBe('{"a":1}')
    expect(load(['model.path=null']).model.path).toBeNull()
  })

  it('of a variable are numbers, booleans and lists where the key is one', () => {
    const { stream, bco, lora } = loadConfig({
      env: {
        BCOD_STREAM_BROKERS: 'a:9092, b:9092',
        BCOD_STREAM_ACCEPT_GAP: 'true',
        BCOD_BCO_BETA: '0.25',
        BCOD_LORA_TARGETS: '["q_proj","v_proj"]',
      },
    })
    expect(stream.brokers).toEqual(['a:9092', 'b:9092'])
    expect(stream.acceptGap).toBe(true)
    expect(bco.beta).toBe(0.25)
    expect(lora.targets).toEqual(['q_proj', 'v_proj'])
  })

  it.each([
    ['optimizer.lr=-1', 'optimizer.lr: expected a number >= 0, got -1 (--set)'],
    ['bco.beta=-0.1', 'bco.beta: expected a number >= 0, got -0.1 (--set)'],
    ['optimizer.beta1=1', 'optimizer.beta1: expected a number >= 0 and < 1, got 1 (--set)'],
    ['optimizer.eps=0', 'optimizer.eps: expected a number > 0, got 0 (--set)'],
    ['ratio.min=2', 'ratio.min: expected a number > 0 and <= 1, got 2 (--set)'],
    ['ratio.max=0.5', 'ratio.max: expected a number >= 1, got 0.5 (--set)'],
    ['eval.holdOut=0.6', 'eval.holdOut: expected a number >= 0 and <= 0.5, got 0.6 (--set)'],
    ['batch.size=2.5', 'batch.size: expected an integer >= 1, got 2.5 (--set)'],
    ['batch.stratify=yes', 'batch.stratify: expected true or false, got "yes" (--set)'],
    ['bco.mode=dpo', 'bco.mode: expected one of paper, trl, got "dpo" (--set)'],
    [
      'batch.maxLatency=30',
      'batch.maxLatency: expected a duration such as 250ms, 30s or 15m (0 = off), got 30 (--set)',
    ],
    [
      'limits.maxRecordBytes=big',
      'limits.maxRecordBytes: expected a size in bytes such as 65536 or 64MiB >= 1, got "big" (--set)',
    ],
    ['server.port=70000', 'server.port: expected an integer >= 0 and <= 65535, got 70000 (--set)'],
  ])('%s is refused with what the key allows', (flag, line) => {
    expect(refusal(() => load([flag])).line).toBe(`CONFIG_INVALID ${line}`)
  })

  it('of the wrong kind in a file are refused with their line', () => {
    const file = scratchFile('bcod.yaml', '# ours\nmodel:\n  path: { a: 1 }\n')
    expect(refusal(() => loadConfig({ file, env: {} })).line).toBe(
      `CONFIG_INVALID model.path: expected a text, or null, got keys and values (${file} line 3)`,
    )
  })

  it('that are wrong are all named at once', () => {
    const { line } = refusal(() => load(['optimizer.lr=-1', 'batch.size=0']))
    expect(line).toContain('optimizer.lr: expected a number >= 0')
    expect(line).toContain('batch.size: expected an integer >= 1')
  })

  it('out of a variable are refused with its name', () => {
    expect(refusal(() => loadConfig({ env: { BCOD_OPTIMIZER_LR: '-0.1' } })).line).toBe(
      'CONFIG_INVALID optimizer.lr: expected a number >= 0, got -0.1 (BCOD_OPTIMIZER_LR)',
    )
    expect(refusal(() => loadConfig({ env: { BCOD_SEED: '0x10' } })).code).toBe('CONFIG_INVALID')
  })
})

describe('unknown keys', () => {
  it('in a file are refused with their line and the nearest key', () => {
    const file = scratchFile('bcod.yaml', 'batch:\n  maxlatency: 5s\n')
    const error = refusal(() => loadConfig({ file, env: {} }))
    expect(error.line).toBe(
      `CONFIG_UNKNOWN_KEY batch.maxlatency: there is no such key (${file} line 2), did you mean batch.maxLatency?`,
    )
  })

  it('in a flag are refused with the nearest key', () => {
    expect(refusal(() => load(['optimiser.lr=1'])).line).toBe(
      'CONFIG_UNKNOWN_KEY optimiser.lr: there is no such key (--set), did you mean optimizer.lr?',
    )
    expect(refusal(() => load(['lr=1'])).message).toContain('did you mean optimizer.lr?')
    expect(refusal(() => load(['bco=1'])).message).toContain('a group, set one of its keys')
    expect(refusal(() => load(['frobnicate=1'])).message).not.toContain('did you mean')
    expect(refusal(() => load(['__proto__.x=1'])).code).toBe('CONFIG_UNKNOWN_KEY')
  })

  it('in the environment are refused with the nearest variable', () => {
    const variable = (name: string) => refusal(() => loadConfig({ env: { [name]: '1' } })).line
    expect(variable('BCOD_OPTIMISER_LR')).toContain('did you mean BCOD_OPTIMIZER_LR?')
    expect(variable('BCOD_BATCH_MAXLATENCY')).toContain('did you mean BCOD_BATCH_MAX_LATENCY?')
    expect(variable('BCOD_STREAM_FOO')).toBe('CONFIG_UNKNOWN_KEY BCOD_STREAM_FOO: no key has this variable')
  })

  it('do not include what set-up reads or what Kubernetes injects for a service named bcod', () => {
    const env = {
      BCOD_CACHE: '/cache',
      BCOD_TF: 'gpu',
      BCOD_SERVICE_HOST: '10.0.0.1',
      BCOD_SERVICE_PORT: '9464',
      BCOD_SERVICE_PORT_HTTP: '9464',
      BCOD_PORT: 'tcp://10.0.0.1:9464',
      BCOD_PORT_9464_TCP_ADDR: '10.0.0.1',
      BCOD_SERVER_PORT: 'tcp://10.0.0.1:9464', // of a service named bcod-server
    }
    expect(loadConfig({ env }).server.port).toBe(9464)
  })

  it('do not hide behind a flag without a value', () => {
    expect(refusal(() => load(['server.adminToken'])).line).toBe('CONFIG_INVALID --set: expected key=value')
  })
})

describe('keys that contradict each other', () => {
  it.each([
    [['optimizer.schedule=cosine'], 'optimizer.totalSteps'],
    [['optimizer.totalSteps=5', 'optimizer.warmupSteps=6'], 'optimizer.warmupSteps'],
    [['stream.tls.ca=ca.pem'], 'stream.tls.enabled'],
    [['stream.tls.enabled=true', 'stream.tls.cert=c.pem'], 'stream.tls.key'],
    [['stream.tls.enabled=true', 'stream.tls.key=k.pem'], 'stream.tls.cert'],
    [['stream.sasl.username=me'], 'stream.sasl.mechanism'],
    [['stream.sasl.mechanism=plain', 'stream.sasl.username=me'], 'stream.sasl.password'],
    [['stream.sasl.mechanism=plain', 'stream.sasl.password=x'], 'stream.sasl.username'],
    [['stream.sasl.mechanism=oauthbearer'], 'stream.sasl.tokenEndpoint'],
    [['stream.sasl.tokenFile=token'], 'stream.sasl.mechanism'],
    [['stream.sasl.mechanism=oauthbearer', 'stream.sasl.tokenEndpoint=http://a/token'], 'stream.sasl.username'],
    [['stream.shards=2', 'stream.shard=2'], 'stream.shard'],
  ])('%j is refused at %s', (set, place) => {
    expect(refusal(() => load(set))).toMatchObject({ code: 'CONFIG_INVALID', place })
  })

  it('are fine once they agree', () => {
    expect(load(['optimizer.schedule=linear', 'optimizer.totalSteps=5']).optimizer.totalSteps).toBe(5)
    expect(load(['stream.tls.enabled=true', 'stream.tls.ca=ca.pem']).stream.tls.ca).toBe('ca.pem')
  })
})
