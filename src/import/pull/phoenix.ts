import type { JsonObject } from '../../events/json.js'
import { USER_FEEDBACK } from '../formats/phoenix.js'
import { idOf, object } from '../values.js'
import type { ProductApi } from './api.js'
import { apiRow, bearer, dataOf, pages, type Source, timeText } from './source.js'

const PAGE = 100
const cursorOf = ({ next_cursor: next }: JsonObject): unknown => next

/** Phoenix lists spans by the time of the answer; their annotations are asked for. */
export const phoenixSource: Source = {
  format: 'phoenix',
  whole: false,
  overlap: 86_400_000,
  authorization: bearer,
  async *batches(api, { since, name = USER_FEEDBACK, project }) {
    for (const each of project === undefined ? await projects(api) : [project]) {
      const path = `/v1/projects/${encodeURIComponent(each)}`
      const asked = { limit: PAGE, start_time: timeText(since) }
      for await (const page of pages((cursor) => api.get(`${path}/spans`, { ...asked, cursor }), cursorOf)) {
        const spans = dataOf(page)
        const annotations = await annotationsOf(api, path, { spans, name })
        yield [
          ...annotations.map((row) => apiRow('span_annotations', row)),
          ...spans.map((row) => apiRow('spans', row, object(row.context).span_id)),
        ]
      }
    }
  },
}

async function projects(api: ProductApi): Promise<readonly string[]> {
  const ids: string[] = []
  for await (const page of pages((cursor) => api.get('/v1/projects', { limit: PAGE, cursor }), cursorOf)) {
    ids.push(...dataOf(page).flatMap(({ id }) => idOf(id) ?? []))
  }
  return ids
}

async function annotationsOf(
  api: ProductApi,
  path: string,
  { spans, name }: { readonly spans: readonly JsonObject[]; readonly name: string },
): Promise<readonly JsonObject[]> {
  const ids = spans.flatMap((span) => idOf(object(span.context).span_id) ?? [])
  if (ids.length === 0) return []
  const asked = { span_ids: ids, include_annotation_names: name, limit: 1000 }
  const found: JsonObject[] = []
  for await (const page of pages((cursor) => api.get(`${path}/span_annotations`, { ...asked, cursor }), cursorOf)) {
    found.push(...dataOf(page))
  }
  return found
}
