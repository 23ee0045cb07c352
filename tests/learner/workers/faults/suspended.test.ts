import { SUSPENDED } from './faults.js'
import { ABOUT_TO_BEGIN, UNDER_WAY } from './kinds.js'
import { matrix } from './matrix.js'

matrix(SUSPENDED, [...ABOUT_TO_BEGIN, ...UNDER_WAY])
