// A program of a step. It has a time limit, and whatever it has started ends with it.
import { spawn } from 'node:child_process'

/** Of an error, so many characters of what the program wrote last. */
const TOLD = 900

/**
 * Runs a program to its end, or until its time is up.
 *
 * @param seconds  how long it may take
 * @param options  `env`; `log` is told all that it writes
 * @returns `lines`: the JSON documents that it wrote to stdout, one a line; `problem`: what went wrong, or null
 */
export function runFor(seconds, [command, ...args], { env = process.env, log = () => {} } = {}) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] })
    const written = { stdout: '', stderr: '' }
    for (const name of ['stdout', 'stderr'])
      child[name].setEncoding('utf8').on('data', (text) => {
        written[name] += text
        log(text)
      })
    const end = () => child.pid !== undefined && killGroup(child.pid)
    process.once('exit', end)
    let late = false
    const timer = setTimeout(() => {
      late = true
      end()
    }, seconds * 1000)
    const ended = (problem) => {
      clearTimeout(timer)
      process.off('exit', end)
      resolve({ lines: jsonLines(written.stdout), problem })
    }
    child.once('error', (error) => ended(error.message))
    child.once('close', (code, signal) => {
      if (late) ended(`ran past its ${Math.round(seconds)} s`)
      else ended(code === 0 ? null : `ended with ${signal ?? `exit code ${code}`}: ${lastOf(written.stderr)}`)
    })
  })
}

/** The end of what it wrote, without the places in the code that Node puts behind an error. */
function lastOf(text) {
  const lines = text.split('\n').filter((line) => !/^\s*(at .*)?$|^Node\.js v/.test(line))
  return lines.slice(-4).join(' | ').slice(-TOLD)
}

/** A line that was cut off by the end is left out, and so is what is no JSON. */
function jsonLines(text) {
  return text.split('\n').flatMap((line) => {
    if (!line.startsWith('{')) return []
    try {
      return [JSON.parse(line)]
    } catch {
      return []
    }
  })
}

function killGroup(pid) {
  try {
    process.kill(-pid, 'SIGKILL')
  } catch (error) {
    if (error.code !== 'ESRCH') throw error
  }
}
