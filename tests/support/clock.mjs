// Loaded with --import: the process's wall clock steps by BCOD_CLOCK_STEP milliseconds when it gets SIGUSR2.
const now = Date.now.bind(Date)
let step = 0
process.on('SIGUSR2', () => {
  step += Number(process.env.BCOD_CLOCK_STEP)
})
Date.now = () => now() + step
