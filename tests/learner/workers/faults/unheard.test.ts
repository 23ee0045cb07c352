import { vi } from 'vitest'
import { UNHEARD } from './faults.js'
import { ABOUT_TO_BEGIN } from './kinds.js'
import { matrix } from './matrix.js'

vi.mock(import('../../../../src/engine/tensorflow.js'), async (load) => {
  const { behindLink } = await import('../../../support/network.js')
  return behindLink(await load())
})

matrix(UNHEARD, ABOUT_TO_BEGIN)
