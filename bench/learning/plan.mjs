// What is compared: points (settings that both sides have) and contenders (what only bcod has).

/** bcod's settings of what a point has. */
export const settingsOf = ({ lr, beta, batch }) => [`optimizer.lr=${lr}`, `bco.beta=${beta}`, `batch.size=${batch}`]

/**
 * The base, and each of the other values in its place, one at a time.
 * @param varied  'lr=1e-5,1e-3', …
 */
export function pointsOf(base, varied) {
  const others = varied.flatMap((text) => {
    const [name, values] = text.split('=')
    if (!(name in base) || !values) throw new Error(`--vary ${text}: expected lr=…, beta=… or batch=…`)
    return values.split(',').map((value) => ({ ...base, [name]: value }))
  })
  return [base, ...others]
}

/** As TRL has it by default: its δ and reduction, no prompt classifier. */
const AS_TRL = ['bco.mode=trl', 'ratio.mode=off']
/** In the order of a daemon with 64 votes to work off, not in that of the file. */
const IN_DAEMON = ['batch.stratify=true', 'stream.pendingEvents=64']

/** All begin with bcod's defaults, and train in the order of the file unless they say otherwise. */
const CONTENDERS = {
  paper: [],
  trl: AS_TRL,
  daemon: IN_DAEMON,
  'daemon-by-age': [...IN_DAEMON, 'batch.lookAhead=0'],
}

/** @param text  a name of these, or 'NAME key=value …' */
export function contenderOf(text) {
  const [name, ...settings] = text.split(' ')
  if (settings.length > 0) return { name, settings }
  if (name in CONTENDERS) return { name, settings: CONTENDERS[name] }
  throw new Error(`--contender ${name}: one of ${Object.keys(CONTENDERS).join(', ')}, or 'NAME key=value …'`)
}
