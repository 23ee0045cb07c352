import { build } from '../../scripts/build.mjs'

/** Worker threads and the command line run from dist/. */
export default function setup(): void {
  build()
}
