import { OUT_OF_MEMORY } from './faults.js'
import { PROGRAMS_ABOUT_TO_BEGIN } from './kinds.js'
import { matrix } from './matrix.js'

matrix(OUT_OF_MEMORY, PROGRAMS_ABOUT_TO_BEGIN)
