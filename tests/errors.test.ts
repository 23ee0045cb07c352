import { readdirSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { BcodError, ERRORS, type ErrorCode, isFatal, isUsageError } from '../src/errors.js'

const codes = Object.keys(ERRORS) as ErrorCode[]
const those = (holds: (error: BcodError) => boolean) => codes.filter((code) => holds(new BcodError(code, 'x'))).sort()

describe('errors', () => {
  it('end the daemon where another writer, a dead learner, a foreign journal or a defect makes it harmful to go on', () => {
    expect(those(isFatal)).toEqual(['FENCED', 'INTERNAL', 'JOURNAL_MISMATCH', 'LEARNER_GONE'])
    expect(isFatal(new TypeError('x is not a function'))).toBe(true)
  })

  it('are worth a retry where brokers or servers may come back by themselves', () => {
    expect(those(({ retryable }) => retryable)).toEqual([
      'IMPORT_SOURCE_UNREACHABLE',
      'KAFKA_LEADER_MISSING',
      'KAFKA_UNREACHABLE',
      'LOG_UNAVAILABLE',
      'ROUTING_UNREADABLE',
      'S3_UNAVAILABLE',
      'SERVING_NO_REPLICA',
      'SERVING_UNREACHABLE',
      'UPSTREAM_TIMEOUT',
      'UPSTREAM_UNREACHABLE',
      'WORKER_LOST',
      'WORKER_TIMEOUT',
      'WORKER_UNREACHABLE',
    ])
  })

  it('of command line and configuration are errors of usage', () => {
    const usage = ['CONFIG_INVALID', 'CONFIG_MISSING', 'CONFIG_UNKNOWN_KEY', 'CONFIG_UNREADABLE', 'USAGE']
    expect(those(isUsageError)).toEqual(usage)
    expect(isUsageError(new Error('x'))).toBe(false)
  })

  it('have a code of one area only, and each area is part of the list', async () => {
    const folder = new URL('../src/errors/', import.meta.url)
    const areas = await Promise.all(readdirSync(folder).map((name) => import(new URL(name, folder).href)))
    const all = areas.flatMap((area) => Object.values(area)).flatMap((table) => Object.keys(table as object))
    expect(all.sort()).toEqual([...codes].sort())
  })
})
