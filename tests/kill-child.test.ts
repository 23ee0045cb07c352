import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { expect, test, vi } from 'vitest'
import { killChild } from '../src/kill-child.js'

test('a child ends by the signal', async () => {
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'])
  killChild(child, 'SIGTERM')
  expect(await once(child, 'exit')).toEqual([null, 'SIGTERM'])
})

test('one that could not be started is sent nothing: Node 20 would end this whole process group', async () => {
  const child = spawn('/no/such/program')
  const kill = vi.spyOn(child, 'kill').mockReturnValue(true)
  killChild(child, 'SIGTERM')
  expect(kill).not.toHaveBeenCalled()
  expect((await once(child, 'error'))[0]).toMatchObject({ code: 'ENOENT' })
})
