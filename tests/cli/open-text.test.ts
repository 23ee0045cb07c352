import { readFileSync } from 'node:fs'
import { expect, onTestFinished, test, vi } from 'vitest'
import { openText } from '../../src/cli/open-text.js'
import { loadConfig } from '../../src/config/config.js'
import { thorough } from '../support/thorough.js'

const children = (): readonly number[] =>
  readFileSync(`/proc/${process.pid}/task/${process.pid}/children`, 'utf8')
    .trim()
    .split(' ')
    .filter(Boolean)
    .map(Number)

test.runIf(thorough)(
  'a command whose text process can never start again fails with a code, and does not wait',
  async () => {
    const before = children()
    const text = (await openText('tests/golden/chat', loadConfig({ env: {} })))!
    onTestFinished(() => text.close())
    const [pid] = children().filter((each) => !before.includes(each))
    // every new process ends before it has loaded anything
    vi.stubEnv('NODE_OPTIONS', '--require /nonexistent.cjs')
    onTestFinished(() => void vi.unstubAllEnvs())
    process.kill(pid!, 'SIGKILL')
    await vi.waitFor(() => expect(children()).not.toContain(pid))
    await expect(text.decode([[1]])).rejects.toMatchObject({ code: 'TEXT_PROCESS_ENDED' })
  },
)
