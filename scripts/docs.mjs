// Writes the pages that are generated from the code, which is compiled first if it is newer.
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from './build.mjs'
import { configurationPage, errorsPage, metricsPage } from './docs/pages.mjs'
import { placeContent } from './place.mjs'

build()
const { explainAll } = await import('../dist/config/explain.js')
const { ERRORS } = await import('../dist/errors.js')
const { GatewayMetrics } = await import('../dist/telemetry/gateway-metrics.js')
const { Metrics } = await import('../dist/telemetry/metrics.js')

const pages = {
  'errors.md': errorsPage(ERRORS),
  'metrics.md': metricsPage(new Metrics().catalogue, new GatewayMetrics().catalogue),
  'configuration.md': configurationPage(explainAll()),
}

const docs = fileURLToPath(new URL('../docs/', import.meta.url))
for (const [name, text] of Object.entries(pages)) placeContent(text, join(docs, name))
