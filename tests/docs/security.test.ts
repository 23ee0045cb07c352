import { existsSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'

const page = readFileSync('docs/security.md', 'utf8')
const rows = page
  .split('\n')
  .filter((line) => line.startsWith('|') && !line.startsWith('| ---'))
  .map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  )

describe('docs/security.md', () => {
  it('names for each row the tests that hold its sentences, and they are there', () => {
    expect(rows.length).toBeGreaterThan(20)
    for (const cells of rows) {
      const last = cells.at(-1)!
      if (last === 'shown by') continue
      const named = [...last.matchAll(/`(tests\/[^`]+)`/g)].map(([, path]) => path!)
      expect(named, cells[0]).not.toEqual([])
      for (const path of named) expect(existsSync(path), path).toBe(true)
    }
  })
})

describe('SECURITY.md', () => {
  const policy = readFileSync('SECURITY.md', 'utf8')

  it('says how to report, what is supported, and when to expect an answer', () => {
    for (const heading of ['## Report a vulnerability', '## Supported versions', '## Releases'])
      expect(policy).toContain(heading)
    expect(policy).toMatch(/\d+ working days/)
  })

  it('names the versions of Node that package.json takes', () => {
    const { engines } = JSON.parse(readFileSync('package.json', 'utf8')) as { engines: { node: string } }
    const majors = [...engines.node.matchAll(/\^(\d+)/g)].map(([, major]) => major!)
    for (const major of majors) expect(policy).toMatch(new RegExp(`\\b${major}\\b`))
  })
})
