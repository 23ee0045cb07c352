import { constants } from 'node:os'

/** Unit tests run without TensorFlow, as `make check` does on a checkout that never fetched it. */
const { dlopen } = process
process.dlopen = (module, filename, flags = constants.dlopen.RTLD_LAZY) => {
  if (filename.includes('tfjs_binding')) throw new Error('a unit test loads TensorFlow: it belongs to another project')
  dlopen(module, filename, flags)
}
