import { BcodError } from '../../errors.js'
import { objects } from '../values.js'
import { apiRow, bearer, type Source } from './source.js'

const PATH = '/api/v1/evaluations/feedbacks/all/export'

/** Open WebUI gives all feedback at once, to administrators. */
export const openWebUiSource: Source = {
  format: 'open-webui',
  whole: true,
  overlap: 0,
  authorization: bearer,
  async *batches(api) {
    const all = await api.get(PATH)
    if (!Array.isArray(all)) throw new BcodError('IMPORT_SOURCE_INVALID', 'its answer is not a list', { place: PATH })
    yield objects(all).map((row) => apiRow('feedbacks', row))
  },
}
