// Steps one after the other, each within its own limit and that of the whole.

/** With less than this left no step begins, in seconds. */
const LEAST = 10

/**
 * Runs steps and tells of each in a line: {step, took_s, …}, with `error` if it failed and `refused` if it was not run.
 * What the device is becomes known first, whether that is a step or not.
 *
 * @param context  what steps are given; `device` is put into it
 * @param device   finds it: one of the steps, or what none of them does
 * @param limit    seconds for all of them
 */
export async function* sequence(steps, { context, device, limit }) {
  const started = performance.now()
  const left = () => limit - (performance.now() - started) / 1000
  for (const { name, seconds, gpus, run } of steps) {
    if (left() < Math.min(LEAST, seconds)) {
      yield { step: name, refused: 'no time is left' }
      continue
    }
    const began = performance.now()
    let found
    try {
      if (context.device === null && run !== device) context.device = await device(context, seconds)
      const there = context.device?.gpus.length ?? 0
      if (there < gpus) {
        yield { step: name, refused: `it needs ${gpus} GPU${gpus > 1 ? 's' : ''}; TensorFlow registers ${there}` }
        continue
      }
      found = await run(context, Math.min(seconds, left()))
      if (run === device) context.device = found
    } catch (error) {
      found = { error: error.message }
    }
    yield { step: name, took_s: (performance.now() - began) / 1000, ...found }
  }
}

/** Says the most important of a line to whoever watches. */
export function sayLine(line) {
  const { step, took_s: took, error, refused, worst, tokens_per_s: rate, step_ms: ms, mfu, speed_up: speedUp } = line
  const parts = [
    ...(refused === undefined ? [] : [`refused: ${refused}`]),
    ...(error === undefined ? [] : [`FAILED: ${error}`]),
    ...Object.entries(worst ?? {}).map(([name, value]) => `${name} ${value.toExponential(1)}`),
    ...(rate === undefined ? [] : [`${rate.toFixed(0)} tokens/s, ${ms.median.toFixed(1)} ms a step`]),
    ...(mfu == null ? [] : [`${(100 * mfu).toFixed(1)} % of the peak`]),
    ...(line.cards ?? []).flatMap(({ peak_mib: mib, busy_percent: busy }) =>
      mib === undefined ? [] : [`${mib} MiB, busy ${busy ?? '?'} %`],
    ),
    ...(line.apart === undefined ? [] : [`losses ${line.apart.toExponential(1)} apart`]),
    ...(speedUp === undefined ? [] : [`${speedUp.toFixed(2)} times as fast`]),
    ...(line.same === undefined ? [] : [line.same ? 'the same bits' : 'OTHER BITS']),
    ...(line.gpus === undefined ? [] : [`${line.gpus.length} GPUs: ${line.cards.map(({ name }) => name).join(', ')}`]),
  ]
  console.error(`bench-gpu: ${step}${took === undefined ? '' : ` (${took.toFixed(0)} s)`}: ${parts.join('; ')}`)
}
