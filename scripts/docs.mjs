// Writes the pages that are generated from the code, and the dashboards' copies for Kubernetes. `make docs` builds and runs it.
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { configurationPage } from '../dist/config/page.js'
import { errorsPage, metricsPage } from '../dist/telemetry/page.js'
import { writeDashboards } from './dashboards.mjs'
import { placeContent } from './place.mjs'

const pages = {
  'errors.md': errorsPage(),
  'metrics.md': metricsPage(),
  'configuration.md': configurationPage(),
}

const docs = fileURLToPath(new URL('../docs/', import.meta.url))
for (const [name, text] of Object.entries(pages)) placeContent(text, join(docs, name))
writeDashboards()
