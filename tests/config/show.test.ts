import { Writable } from 'node:stream'
import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import { loadConfig } from '../../src/config/config.js'
import { showConfig } from '../../src/config/show.js'
import type { BcodError } from '../../src/errors.js'
import { ConfigLoaded, Failed } from '../../src/telemetry/events/daemon.js'
import { createLogger } from '../../src/telemetry/logger.js'
import { Metrics } from '../../src/telemetry/metrics.js'
import { Telemetry } from '../../src/telemetry/telemetry.js'
import { scratchFile } from './scratch.js'

describe('the shown configuration', () => {
  it('is written as a file would write it', () => {
    const shown = showConfig(loadConfig({ env: {}, set: ['batch.maxLatency=90s', 'stream.pendingBytes=1024'] }))
    expect(shown).toMatchObject({ batch: { maxLatency: '90s' }, stream: { pendingBytes: '1KiB', holdBack: '30s' } })
  })

  it('loads again to the same configuration', () => {
    const config = loadConfig({ env: {}, set: ['checkpoint.dir=/a/b', 'stream.topic=t', 'batch.maxLatency=0'] })
    expect(loadConfig({ env: {}, file: scratchFile('shown.json', JSON.stringify(showConfig(config))) })).toEqual(config)
  })

  it('tells that a secret is set, and not the secret', () => {
    const { server } = showConfig(loadConfig({ env: { BCOD_SERVER_ADMIN_TOKEN: 'open-sesame-to-me' } })) as {
      server: { adminToken: unknown }
    }
    expect(server.adminToken).toBe('[hidden]')
    expect(showConfig(loadConfig({ env: {} }))).toMatchObject({ server: { adminToken: null } })
  })
})

describe('a secret', () => {
  it.each(['open sesame to me\n', 'open sesame to me\r\n', 'open sesame to me'])(
    'in a variable loses the newline of its file: %j',
    (value) => {
      expect(loadConfig({ env: { BCOD_SERVER_ADMIN_TOKEN: value } }).server.adminToken).toBe('open sesame to me')
    },
  )

  it('in a variable that is nothing but a newline is not set', () => {
    expect(loadConfig({ env: { BCOD_SERVER_ADMIN_TOKEN: '\n' } }).server.adminToken).toBeNull()
  })

  const token = fc.stringMatching(/^[A-Za-z0-9"'{}[\]:,#&*!|>%@` -]{1,20}$/).map((text) => `s3cr3t${text}s3cr3t`)
  const places = [
    (secret: string) => ({ env: { BCOD_SERVER_ADMIN_TOKEN: secret } }),
    (secret: string) => ({ env: { BCOD_SERVER_ADMIN_TOKEN: secret, BCOD_SEED: '-1' } }),
    (secret: string) => ({ env: { BCOD_SERVER_ADMIN_TOKN: secret } }),
    (secret: string) => ({ env: {}, set: [`stream.sasl.password=${secret}`] }),
    (secret: string) => ({ env: {}, set: [`stream.sasl.passwrd=${secret}`] }),
    (secret: string) => ({ env: {}, set: [`stream.sasl=${secret}`] }),
    (secret: string) => ({ env: {}, set: [secret] }),
    (secret: string) => ({ env: {}, file: scratchFile('a.yaml', `server:\n  adminToken: ${secret}\n`) }),
    (secret: string) => ({ env: {}, file: scratchFile('a.yaml', `server:\n  adminToken: [${secret}]\n`) }),
    (secret: string) => ({ env: {}, file: scratchFile('a.yaml', `server:\n  admin: "${secret}\n`) }),
    (secret: string) => ({ env: {}, file: scratchFile('a.json', `{"stream":{"sasl":{"password":"${secret}"}},}`) }),
    (secret: string) => ({ env: {}, file: scratchFile('a.json', `{"stream":{"sasl":"${secret}"}}`) }),
  ]

  it.each([
    '{"stream":{"sasl":{"password":"s3cr3t",s3cr3t"}}}',
    '{"stream":{"sasl":{"password":"s3cr3t","s3cr3t"}}}',
    '{stream: {sasl: {password: abc,s3cr3t}}}',
    '{stream: {sasl: {password: abc,s3cr3t&: 1}}}',
    '{stream: {sasl: {password: abc,s3cr3t: 1}}}',
    '{stream: {sasl: {password: abc, s3cr3t: x}}}',
    '{server: {adminToken: abc}, s3cr3t}',
    '{server: {adminToken: abc, {s3cr3t: 1}}}',
  ])('that YAML cuts in two is not taken for the name of a key: %s', (text) => {
    const printed = everythingPrinted({ env: {}, file: scratchFile('a.yaml', text) })
    expect(printed).toMatch(/CONFIG_UNKNOWN_KEY (stream\.sasl|server|the top level): holds a key that there is not/)
    expect(printed).toMatch(/a\.yaml( line 1)?\)/)
    expect(printed).not.toContain('s3cr3t')
  })

  it.each(places)('reaches no output, error or log line (place %#)', (place) => {
    fc.assert(
      fc.property(token, (secret) => {
        expect(everythingPrinted(place(secret))).not.toContain('s3cr3t')
      }),
      { numRuns: 30 },
    )
  })
})

function everythingPrinted(sources: Parameters<typeof loadConfig>[0]): string {
  const lines: string[] = []
  const stream = new Writable({
    write(chunk, _encoding, done) {
      lines.push(String(chunk))
      done()
    },
  })
  const telemetry = new Telemetry(createLogger('trace', stream), new Metrics())
  const warnings = vi.spyOn(process, 'emitWarning').mockImplementation((warning) => void lines.push(String(warning)))
  try {
    const config = loadConfig(sources)
    telemetry.emit(new ConfigLoaded(config))
    lines.push(JSON.stringify(showConfig(config)))
  } catch (error) {
    telemetry.emit(new Failed(error, true))
    const { line, remedy, stack, cause } = error as BcodError
    lines.push(line, remedy, String(stack), String(cause))
  } finally {
    warnings.mockRestore()
  }
  return lines.join('\n')
}
