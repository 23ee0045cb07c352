import { isJsonObject, jsonOrNull } from '../../events/json.js'
import type { Routes } from '../upstream/routes.js'

/**
 * What `GET /v1/models` answers: the list of a model server without bcod's versions, and with the name that the arms
 * answer. Null for what is no such list.
 */
export function modelsOf(text: string, routes: Routes, model: string | null): string | null {
  const list = jsonOrNull(text)
  if (!isJsonObject(list) || !Array.isArray(list.data)) return null
  const data = list.data.filter((each) => !(isJsonObject(each) && routes.isVersion(String(each.id))))
  const isThere = model === null || data.some((each) => isJsonObject(each) && each.id === model)
  const own = isThere ? [] : [{ id: model, object: 'model', created: 0, owned_by: 'bcod' }]
  return JSON.stringify({ ...list, data: [...own, ...data] })
}
