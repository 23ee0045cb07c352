import { flag, integer, real } from './setting.js'

/** Keys of the guards, which pause training if a step shows that it goes wrong. */
export const guarding = {
  guard: {
    klBudget: real(
      0,
      { min: 0 },
      'Training pauses if the mean of log π − log π_ref per trained token, over guard.steps steps, is further from 0 than this, in nats. 0 = never.',
    ),
    pauseOnCollapse: flag(
      false,
      'Training pauses if the mean reward margin over guard.steps steps is below 0 after it has been above 0.1.',
    ),
    maxDelta: real(
      0,
      { min: 0 },
      'Training pauses if the mean of δ over guard.steps steps is further from 0 than this. 0 = never.',
    ),
    steps: integer(50, { min: 1, max: 10_000 }, 'Over how many steps the guards take their means.'),
  },
}
