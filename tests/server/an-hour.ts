import { seededRandom } from '../../src/model/random.js'
import { LagObserved } from '../../src/telemetry/events/consumer.js'
import { LifecycleChanged } from '../../src/telemetry/events/daemon.js'
import { DeadLettered } from '../../src/telemetry/events/feedback.js'
import { StepApplied } from '../../src/telemetry/events/training.js'
import { History } from '../../src/telemetry/history.js'
import { createLogger } from '../../src/telemetry/logger.js'
import { Metrics } from '../../src/telemetry/metrics.js'
import { Telemetry } from '../../src/telemetry/telemetry.js'
import { stepReport } from '../telemetry/step-report.js'

const EVERY = 4
const AT = { topic: 'feedback', partition: 0, offset: 7 }

/** A daemon's hour, ending now: joining, running, paused for a while; a step every four seconds, some dead letters. */
export function anHour(seconds = 3600) {
  let now = Date.now() / 1000 - seconds
  const history = new History(() => now * 1000)
  const telemetry = new Telemetry(createLogger('silent'), new Metrics(), history)
  const random = seededRandom(1, 'an hour')
  let step = 0
  let lastStepTime: number | null = null
  telemetry.emit(new LifecycleChanged(seconds > 0 ? 'joining' : 'loading'))
  for (let second = 0; second < seconds; second += EVERY, now += EVERY) {
    const done = second / 3600
    if (second === 40) telemetry.emit(new LifecycleChanged('running'))
    if (second === 1800) telemetry.emit(new LifecycleChanged('paused'))
    if (second === 2000) telemetry.emit(new LifecycleChanged('running'))
    telemetry.emit(new LagObserved(0, Math.round(20 + 200 * Math.max(0, Math.sin(6 * done)) + 10 * random())))
    if (second < 40) continue
    lastStepTime = now
    const up = Math.round(2 + 4 * random())
    const down = 8 - up
    const rewards = (count: number, mean: number) => Array.from({ length: count }, () => mean + 0.3 * (random() - 0.5))
    telemetry.emit(
      new StepApplied(
        stepReport({
          ...{ step: ++step, events: 8, up, down, loss: 1.4 - 0.6 * done + 0.1 * random(), delta: 0.2 * done },
          ...{ rewardsUp: rewards(up, done), rewardsDown: rewards(down, -0.6 * done) },
          densityRatiosDown: rewards(down, 1 + 0.2 * done),
        }),
      ),
    )
    if (second % 400 === 0) telemetry.emit(new DeadLettered(AT, 'FEEDBACK_INVALID', 'validate', ''))
    if (second % 700 === 0) telemetry.emit(new DeadLettered(AT, 'FEEDBACK_NOT_JSON', 'decode', ''))
  }
  const lag = (records: number) => telemetry.emit(new LagObserved(0, records))
  return { history, step, lastStepTime, lag }
}

/** `/status` at the end of it. */
export const statusOf = ({ history, step, lastStepTime }: ReturnType<typeof anHour>) => ({
  ...{
    state: 'running',
    ready: true,
    not_ready: [],
    step,
    last_step_time: lastStepTime,
    delta: 0.2,
    loss: 0.83,
  },
  ...{ reward_up_mean: 0.98, reward_down_mean: null, weight_mean: 1.2, classifier_ready: true, classifier_trust: 0.41 },
  ...{ adapter: 'v00000890', lag: { 0: 14, 1: 3 }, held_back: 5, waiting: 3, dead_letters: history.deadLetters },
  ...{ dead_letters_waiting: 0, paused: false, training_paused: false, partitions: [0, 1] },
})
