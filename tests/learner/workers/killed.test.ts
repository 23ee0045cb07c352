import { KILLED } from './faults/faults.js'
import { ACCUMULATE } from './faults/kinds.js'
import { matrix } from './faults/matrix.js'

// `make devices-test` has every fault in every kind of run
matrix(KILLED, [ACCUMULATE])
