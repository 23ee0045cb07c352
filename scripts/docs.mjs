// Writes the pages that are generated from the code, and the dashboards' copies for Kubernetes. `make docs` builds and runs it.
import { mkdirSync, writeFileSync } from 'node:fs'
import { configurationPage } from '../dist/config/page.js'
import { errorsPage, metricsPage } from '../dist/telemetry/page.js'
import { writeDashboards } from './dashboards.mjs'

const pages = {
  'errors.md': errorsPage(),
  'metrics.md': metricsPage(),
  'configuration.md': configurationPage(),
}

const docs = new URL('../docs/', import.meta.url)
mkdirSync(docs, { recursive: true })
for (const [name, text] of Object.entries(pages)) writeFileSync(new URL(name, docs), text)
writeDashboards()
