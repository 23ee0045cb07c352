import type { Format, ReadOptions } from '../format.js'
import type { Finding } from '../vote.js'
import type { ProductApi } from './api.js'
import { langfuseSource } from './langfuse.js'
import { mlflowSource } from './mlflow.js'
import { openWebUiSource } from './open-webui.js'
import { phoenixSource } from './phoenix.js'
import type { PullOptions, Source } from './source.js'

/** Every product that `bcod import --url` asks. */
export const SOURCES: readonly Source[] = [openWebUiSource, langfuseSource, mlflowSource, phoenixSource]

/** The votes that a product has, and what else it gave. @throws the errors of `ProductApi` */
export async function* pulled(
  { source, format }: { readonly source: Source; readonly format: Format },
  api: ProductApi,
  options: PullOptions & ReadOptions,
): AsyncGenerator<Finding> {
  for await (const rows of source.batches(api, options)) {
    yield* format.read(async function* () {
      yield* rows
    }, options)
  }
}
