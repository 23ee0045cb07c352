import { REPLACED, RESTARTED } from './faults.js'
import { ABOUT_TO_BEGIN, ACCUMULATE, UNDER_WAY } from './kinds.js'
import { matrix } from './matrix.js'

matrix(RESTARTED, [...ABOUT_TO_BEGIN, ...UNDER_WAY])
for (const fault of REPLACED) matrix(fault, [ACCUMULATE])
