// Writes the pages that are generated from the code. `make docs` builds and runs it.
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { explainAll } from '../dist/config/explain.js'
import { ERRORS } from '../dist/errors.js'
import { Metrics } from '../dist/telemetry/metrics.js'
import { configurationPage, errorsPage, metricsPage } from './docs/pages.mjs'
import { placeContent } from './place.mjs'

const pages = {
  'errors.md': errorsPage(ERRORS),
  'metrics.md': metricsPage(new Metrics().catalogue),
  'configuration.md': configurationPage(explainAll()),
}

const docs = fileURLToPath(new URL('../docs/', import.meta.url))
for (const [name, text] of Object.entries(pages)) placeContent(text, join(docs, name))
