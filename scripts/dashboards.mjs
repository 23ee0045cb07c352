// Writes grafana/*.json from grafana/src. `make dashboards` runs it.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { placeContent } from './place.mjs'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
// inside the checkout: what is compiled finds its packages
const compiled = mkdtempSync(join(root, '.build-'))
try {
  const args = ['--no-install', 'tsc', '-p', 'grafana/tsconfig.json', '--outDir', compiled]
  execFileSync('npx', args, { cwd: root, stdio: ['ignore', 2, 2] })
  const { dashboardJson, pages } = await import(pathToFileURL(join(compiled, 'index.js')).href)
  for (const name of Object.keys(pages)) placeContent(dashboardJson(name), join(root, 'grafana', `${name}.json`))
} finally {
  rmSync(compiled, { recursive: true, force: true })
}
