// Loaded with --import: the process's wall clock is off by BCOD_CLOCK_OFFSET milliseconds from the start, and steps by
// BCOD_CLOCK_STEP when it gets SIGUSR2.
const RealDate = Date
let offset = Number(process.env.BCOD_CLOCK_OFFSET ?? 0)
process.on('SIGUSR2', () => {
  offset += Number(process.env.BCOD_CLOCK_STEP ?? 0)
})
const now = () => RealDate.now() + offset

globalThis.Date = class extends RealDate {
  constructor(...given) {
    if (given.length === 0) super(now())
    else super(...given)
  }

  static now() {
    return now()
  }
}
