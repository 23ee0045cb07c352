// `bcod run --config FILE`, killed -9 by itself when it reaches a stage for the nth time:
//   node tests/support/victim.mjs FILE STAGE N

import { serve } from '../../dist/cli/serve.js'
import { loadConfig } from '../../dist/config/config.js'
import { requireFor } from '../../dist/config/requirements.js'

const [file, last, count] = process.argv.slice(2)
let left = Number(count)
await serve(requireFor(loadConfig({ file }), 'run'), false, (stage) => {
  if (stage !== last) return
  left -= 1
  if (left === 0) process.kill(process.pid, 'SIGKILL')
})
