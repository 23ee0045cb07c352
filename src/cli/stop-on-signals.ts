/** The first SIGTERM or SIGINT stops in order, a second one at once. */
export function stopOnSignals(stop: () => void): () => void {
  let asked = false
  const onSignal = () => {
    // process.exit would wait for a call inside TensorFlow
    if (asked) process.kill(process.pid, 'SIGKILL')
    asked = true
    stop()
  }
  process.on('SIGTERM', onSignal)
  process.on('SIGINT', onSignal)
  return () => {
    process.off('SIGTERM', onSignal)
    process.off('SIGINT', onSignal)
  }
}
