import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatBytes, formatDuration, parseBytes, parseDuration } from '../../src/config/units.js'

describe('durations', () => {
  it.each([
    ['250ms', 250],
    ['30s', 30_000],
    ['15m', 900_000],
    ['2h', 7_200_000],
    ['1d', 86_400_000],
    ['1.5s', 1_500],
    ['0', 0],
    [0, 0],
  ])('reads %s as %d milliseconds', (written, milliseconds) => {
    expect(parseDuration(written)).toBe(milliseconds)
  })

  it.each([30, '30', '-5s', '5 s', 's', '', '1e3s', 'soon', null, true, ['30s']])('refuses %j', (written) => {
    expect(parseDuration(written)).toBeNull()
  })

  it('reads back what it writes', () => {
    fc.assert(
      fc.property(fc.nat({ max: Number.MAX_SAFE_INTEGER }), (milliseconds) => {
        expect(parseDuration(formatDuration(milliseconds))).toBe(milliseconds)
      }),
    )
  })
})

describe('byte sizes', () => {
  it.each([
    [1_048_576, 1_048_576],
    ['1048576', 1_048_576],
    ['64MiB', 67_108_864],
    ['10MB', 10_000_000],
    ['1.5KiB', 1_536],
    ['2GiB', 2_147_483_648],
    ['7B', 7],
    [0, 0],
  ])('reads %s as %d bytes', (written, bytes) => {
    expect(parseBytes(written)).toBe(bytes)
  })

  it.each([-1, 1.5, '64mib', '64 MiB', 'MiB', '', '9999999TiB', null])('refuses %j', (written) => {
    expect(parseBytes(written)).toBeNull()
  })

  it('reads back what it writes', () => {
    fc.assert(
      fc.property(fc.nat({ max: 2 ** 50 }), fc.constantFrom(1, 2 ** 10, 2 ** 20), (amount, unit) => {
        const bytes = Math.floor(amount / unit) * unit
        expect(parseBytes(formatBytes(bytes))).toBe(bytes)
      }),
    )
  })
})
