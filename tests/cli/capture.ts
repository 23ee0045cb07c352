import type { Command } from 'commander'
import { vi } from 'vitest'

/** What a command writes to stdout when it runs with these arguments. */
export async function stdoutOf(command: Command, ...args: string[]): Promise<string> {
  let text = ''
  const write = vi.spyOn(process.stdout, 'write').mockImplementation((chunk) => {
    text += String(chunk)
    return true
  })
  try {
    await command.parseAsync(args, { from: 'user' })
  } finally {
    write.mockRestore()
  }
  return text
}
