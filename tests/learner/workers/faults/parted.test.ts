import { vi } from 'vitest'
import { PARTED } from './faults.js'
import { ABOUT_TO_BEGIN, UNDER_WAY } from './kinds.js'
import { matrix } from './matrix.js'

vi.mock(import('../../../../src/engine/tensorflow.js'), async (load) => {
  const { behindLink } = await import('../../../support/network.js')
  return behindLink(await load())
})

matrix(PARTED, [...ABOUT_TO_BEGIN, ...UNDER_WAY])
