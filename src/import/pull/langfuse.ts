import type { JsonObject } from '../../events/json.js'
import { USER_FEEDBACK } from '../formats/langfuse.js'
import type { Row } from '../rows.js'
import { idOf, object, objects } from '../values.js'
import type { ProductApi } from './api.js'
import { apiRow, basic, dataOf, type PullOptions, pages, type Source, timeText } from './source.js'

const PAGE = 100

/** Langfuse: scores of one name, and the traces that they are on. Its reading side lags by minutes. */
export const langfuseSource: Source = {
  format: 'langfuse',
  whole: false,
  overlap: 15 * 60_000,
  authorization: basic,
  async *batches(api, options) {
    for await (const scores of scorePages(api, options)) {
      const traces = new Set(scores.map(traceOf).filter((id) => id !== null))
      const rows: Row[] = scores.map((score) => apiRow('scores', score))
      for (const trace of traces) rows.push(...(await traceRows(api, trace)))
      yield rows
    }
  },
}

/** Version 3 of the scores API, or version 2, which older servers have. */
async function* scorePages(api: ProductApi, options: PullOptions): AsyncGenerator<readonly JsonObject[]> {
  const wanted = { name: options.name ?? USER_FEEDBACK, fromTimestamp: timeText(options.since), limit: PAGE }
  const newer = { ...wanted, fields: 'details,subject,annotation' }
  const first = await api.find('/api/public/v3/scores', newer)
  if (first === null) return yield* olderPages(api, wanted)
  const ask = async (cursor: string | undefined) =>
    cursor === undefined ? first : api.get('/api/public/v3/scores', { ...newer, cursor })
  for await (const page of pages(ask, ({ meta }) => object(meta).cursor)) yield dataOf(page)
}

async function* olderPages(
  api: ProductApi,
  wanted: Readonly<Record<string, string | number | undefined>>,
): AsyncGenerator<readonly JsonObject[]> {
  for (let page = 1; ; page++) {
    const answer = object(await api.get('/api/public/v2/scores', { ...wanted, page }))
    yield dataOf(answer)
    if (page >= Number(object(answer.meta).totalPages ?? 0)) return
  }
}

function traceOf(score: JsonObject): string | null {
  const { kind, id, traceId } = object(score.subject)
  return idOf(score.traceId) ?? idOf(traceId) ?? (kind === 'trace' ? idOf(id) : null)
}

/** The trace with its observations; without it, as on servers of version 4, the observations alone. */
async function traceRows(api: ProductApi, id: string): Promise<readonly Row[]> {
  const found = await api.find(`/api/public/traces/${encodeURIComponent(id)}`)
  if (found !== null) {
    const { observations, scores: _, ...trace } = object(found)
    return [apiRow('traces', trace), ...objects(observations).map(observationRow(id))]
  }
  const fields = 'core,basic,io,model'
  const observations = await api.find('/api/public/v2/observations', { traceId: id, fields, limit: PAGE })
  return dataOf(observations).map(observationRow(id))
}

const observationRow =
  (traceId: string) =>
  (row: JsonObject): Row =>
    apiRow('observations', { traceId, ...row })
