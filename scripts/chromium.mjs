// A headless Chromium that is on this machine already; nothing is downloaded.
import { existsSync } from 'node:fs'
import { chromium } from 'playwright-core'

const PLACES = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']

/** Where it is; null if there is none. The variable CHROMIUM names another one. */
export function chromiumPath() {
  return [process.env.CHROMIUM, ...PLACES].find((path) => path && existsSync(path)) ?? null
}

export function launchChromium() {
  const executablePath = chromiumPath()
  if (executablePath === null) throw new Error('No Chromium here. Debian: apt-get install chromium; or set CHROMIUM.')
  // its sandbox cannot be had by root or in most containers, and the pages are this repository's own
  return chromium.launch({ executablePath, args: ['--no-sandbox'] })
}
