import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard'
import { alignment } from './alignment.js'
import { feedback } from './feedback.js'
import { gateway } from './gateway.js'
import { machine } from './machine.js'
import { dashboardOf } from './page.js'
import type { PageSpec } from './panel.js'
import { versions } from './versions.js'

/** The five pages, by the names of their files in grafana/. */
export const pages: Readonly<Record<string, PageSpec>> = { alignment, versions, gateway, feedback, machine }

/** What Grafana imports for a page. */
export const dashboardFor = (page: PageSpec): Dashboard => dashboardOf(page, Object.values(pages))

/** The content of `grafana/NAME.json`. */
export const dashboardJson = (name: string): string =>
  `${JSON.stringify(dashboardFor(pages[name] as PageSpec), null, 2)}\n`
