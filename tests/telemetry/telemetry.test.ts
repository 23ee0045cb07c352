import { spawnSync } from 'node:child_process'
import { describe, expect, it } from 'vitest'
import { InternalEvent, type LogLine } from '../../src/telemetry/telemetry.js'
import { VERSION } from '../../src/telemetry/version.js'
import { capture } from './capture.js'

class LampLit extends InternalEvent {
  log(): LogLine {
    return { level: 'info', msg: 'lamp lit', watts: 40 }
  }
  override count(metrics: Parameters<InternalEvent['count']>[0]): void {
    metrics.consumer.offsetCommits.inc()
  }
}

class Quiet extends InternalEvent {
  log(): null {
    return null
  }
}

describe('emitting an event', () => {
  it('writes one JSON line with its name, its fields and who wrote it', () => {
    const { telemetry, lines } = capture()
    telemetry.emit(new LampLit())
    expect(lines).toEqual([
      {
        level: 'info',
        time: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
        service: 'bcod',
        version: VERSION,
        pid: process.pid,
        event: 'LampLit',
        watts: 40,
        msg: 'lamp lit',
      },
    ])
  })

  it('counts whatever the log level is', async () => {
    const { telemetry, lines, sample } = capture('error')
    telemetry.emit(new LampLit())
    expect(lines).toEqual([])
    expect(await sample('bcod_offset_commits_total')).toBe(1)
  })

  it('writes nothing for an event without a line', () => {
    const { telemetry, lines } = capture()
    telemetry.emit(new Quiet())
    expect(lines).toEqual([])
  })
})

describe('the version', () => {
  it('is that of package.json', () => {
    const npm = spawnSync('node', ['-p', 'require("./package.json").version'], { encoding: 'utf8' })
    expect(VERSION).toBe(npm.stdout.trim())
  })
})
