import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { placeContent, placeFile, placeLink, placeTree, removeOthers } from '../../scripts/place.mjs'

const TFJS = 'node_modules/@tensorflow/tfjs-node-gpu'
const scratch = mkdtempSync(join(tmpdir(), 'bcod-place-'))
afterAll(() => rmSync(scratch, { recursive: true, force: true }))

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(scratch, 'case-'))
})

/** What a process that has the file open or mapped holds on to, and when it was written. */
const identity = (path: string) => {
  const { ino, mtimeMs, size } = statSync(path)
  return { ino, mtimeMs, size }
}

describe('a file is put in its place', () => {
  test('not at all where it is there already', () => {
    const path = join(directory, 'deep', 'file')
    expect(placeContent('same', path)).toBe(true)
    const before = identity(path)
    expect(placeContent('same', path)).toBe(false)
    expect(identity(path)).toEqual(before)
  })

  test('as another file where it differs: whoever has the old one keeps it whole', () => {
    const path = join(directory, 'file')
    writeFileSync(path, 'old')
    const before = identity(path)
    writeFileSync(join(directory, 'new'), 'new and longer', { mode: 0o755 })
    expect(placeFile(join(directory, 'new'), path)).toBe(true)
    expect(readFileSync(path, 'utf8')).toBe('new and longer')
    expect(statSync(path).mode & 0o777).toBe(0o755)
    expect(identity(path).ino).not.toBe(before.ino)
    expect(readdirSync(directory).sort()).toEqual(['file', 'new'])
  })

  test('through no link: the file that the link led to stays as it was', () => {
    writeFileSync(join(directory, 'elsewhere'), 'theirs')
    symlinkSync('elsewhere', join(directory, 'link'))
    placeContent('ours', join(directory, 'link'))
    expect(readFileSync(join(directory, 'elsewhere'), 'utf8')).toBe('theirs')
    expect(readFileSync(join(directory, 'link'), 'utf8')).toBe('ours')
  })
})

test('a link is left alone, replaced in one step, or takes the place of a directory', () => {
  const path = join(directory, 'lib')
  mkdirSync(join(path, 'left over'), { recursive: true })
  expect(placeLink('one', path)).toBe(true)
  expect(placeLink('one', path)).toBe(false)
  expect(placeLink('two', path)).toBe(true)
  expect(readlinkSync(path)).toBe('two')
})

test('a tree gets what is new or changed, keeps what is equal, and loses what is gone', () => {
  const [from, to] = [join(directory, 'from'), join(directory, 'to')]
  placeContent('a', join(from, 'a'))
  placeContent('b', join(from, 'x', 'b'))
  placeTree(from, to)
  const before = identity(join(to, 'a'))
  rmSync(join(from, 'x'), { recursive: true })
  placeContent('c', join(from, 'c'))
  placeTree(from, to)
  removeOthers(from, to)
  expect(readdirSync(to).sort()).toEqual(['a', 'c'])
  expect(identity(join(to, 'a'))).toEqual(before)
})

test('a process that has an addon mapped goes on when another build of it is put there', {
  timeout: 30_000,
}, async () => {
  const addon = join(directory, 'addon.node')
  copyFileSync(join(TFJS, 'deps', 'bcod_death_notice.node'), addon)
  const program = `const { nameDeaths } = require(process.argv[1])
    process.stdout.write('mapped')
    process.stdin.on('data', () => { nameDeaths([], []); process.exit(3) })`
  const child: ChildProcess = spawn(process.execPath, ['-e', program, addon], { stdio: ['pipe', 'pipe', 'ignore'] })
  onTestFinished(() => void child.kill('SIGKILL'))
  await once(child.stdout!, 'data')
  placeContent('another build, and a shorter one', addon)
  child.stdin?.write('go on')
  expect(await once(child, 'exit')).toEqual([3, null])
})

test('a set-up over one that is in place changes no file that a daemon may have open', { timeout: 60_000 }, () => {
  const places = [
    ...readdirSync(join(TFJS, 'deps')).map((name) => join(TFJS, 'deps', name)),
    ...readdirSync(join(TFJS, 'lib'), { recursive: true, encoding: 'utf8' }).map((name) => join(TFJS, 'lib', name)),
    ...readdirSync('dist', { recursive: true, encoding: 'utf8' }).map((name) => join('dist', name)),
  ].filter((path) => existsSync(path) && statSync(path).isFile())
  expect(places.filter((path) => path.endsWith('.node')).length).toBeGreaterThanOrEqual(3)
  const before = places.map((path) => [path, identity(path)])
  const link = join(TFJS, 'deps', 'lib')
  const linked = statSync(link).ino
  execFileSync(process.execPath, ['scripts/setup.mjs'], { stdio: 'ignore' })
  expect(places.map((path) => [path, identity(path)])).toEqual(before)
  expect(statSync(link).ino).toBe(linked)
})

test('a build in which nothing has changed leaves every file of dist as it is', { timeout: 120_000 }, () => {
  const files = () =>
    readdirSync('dist', { recursive: true, encoding: 'utf8' })
      .map((name) => join('dist', name))
      .filter((path) => statSync(path).isFile() && !path.endsWith('.built'))
      .sort()
  const before = files().map((path) => [path, identity(path)])
  execFileSync('npm', ['run', '--silent', 'build'], { stdio: 'ignore' })
  expect(files().map((path) => [path, identity(path)])).toEqual(before)
  expect(readdirSync('.').filter((name) => name.startsWith('.build-'))).toEqual([])
})
