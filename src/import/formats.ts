import type { Format } from './format.js'
import { openWebUi } from './formats/open-webui.js'
import { preference } from './formats/preference.js'
import { unpaired } from './formats/unpaired.js'

/** Every format that `bcod import` reads. */
export const FORMATS: readonly Format[] = [openWebUi, unpaired, preference]
