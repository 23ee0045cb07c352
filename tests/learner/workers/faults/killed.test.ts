import { KILLED } from './faults.js'
import { ABOUT_TO_BEGIN, UNDER_WAY } from './kinds.js'
import { matrix } from './matrix.js'

matrix(KILLED, [...ABOUT_TO_BEGIN, ...UNDER_WAY])
