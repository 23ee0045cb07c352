import type { JsonObject } from '../../events/json.js'
import { idOf, object, objects } from '../values.js'
import type { ProductApi } from './api.js'
import { apiRow, basic, bearer, pages, type Source } from './source.js'

const SEARCH = '/api/3.0/mlflow/traces/search'
const PAGE = 100

/** MLflow lists traces by the time of the answer, with their assessments; one that has any is asked for as a whole. */
export const mlflowSource: Source = {
  format: 'mlflow',
  whole: false,
  overlap: 86_400_000,
  authorization: (key) => (key.includes(':') ? basic(key) : bearer(key)),
  async *batches(api, { since, project }) {
    const locations = (await experiments(api, project)).map((id) => ({
      ...{ type: 'MLFLOW_EXPERIMENT', mlflow_experiment: { experiment_id: id } },
    }))
    const filter = since === null ? {} : { filter: `trace.timestamp_ms >= ${Math.floor(since)}` }
    const ask = (cursor: string | undefined) =>
      api.post(SEARCH, { locations, ...filter, max_results: PAGE, ...(cursor && { page_token: cursor }) })
    for await (const page of pages(ask, ({ next_page_token: next }) => next)) {
      const rated = objects(page.traces).filter(({ assessments }) => objects(assessments).length > 0)
      yield await Promise.all(rated.map((info) => wholeTrace(api, info)))
    }
  },
}

async function wholeTrace(api: ProductApi, info: JsonObject) {
  const trace = await api.get('/api/3.0/mlflow/traces/get', { trace_id: String(info.trace_id) })
  return apiRow('traces', object(trace), info.trace_id)
}

/** Ids of the experiment of a name or an id, or of all. */
async function experiments(api: ProductApi, project: string | undefined): Promise<readonly string[]> {
  if (project !== undefined) {
    const named = await api.find('/api/2.0/mlflow/experiments/get-by-name', { experiment_name: project })
    return [idOf(object(object(named).experiment).experiment_id) ?? project]
  }
  const ids: string[] = []
  const ask = (cursor: string | undefined) =>
    api.post('/api/2.0/mlflow/experiments/search', { max_results: 1000, ...(cursor && { page_token: cursor }) })
  for await (const page of pages(ask, ({ next_page_token: next }) => next)) {
    ids.push(...objects(page.experiments).flatMap(({ experiment_id: id }) => idOf(id) ?? []))
  }
  return ids
}
