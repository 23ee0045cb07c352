import { existsSync, readFileSync } from 'node:fs'
import { expect, it } from 'vitest'

const page = readFileSync('CONTRIBUTING.md', 'utf8')

it('CONTRIBUTING.md names files and folders that are there', () => {
  const paths = [...page.matchAll(/`((?:src|tests|docs|grafana|scripts)\/[^`\s]+)`/g)]
    .map((match) => match[1]!)
    .filter((path) => !path.includes('/a/b.'))
  expect(paths.length).toBeGreaterThan(15)
  for (const path of paths) expect(existsSync(path), path).toBe(true)
})

it('CONTRIBUTING.md names scripts and test files that its commands run', () => {
  const named = [...page.matchAll(/(?:node|vitest run|--project unit) ((?:scripts|tests)\/\S+?)[`\s]/g)]
  expect(named.length).toBeGreaterThan(2)
  for (const [, path] of named) expect(existsSync(path!), path).toBe(true)
})
