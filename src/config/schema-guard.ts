import { flag, integer, real } from './setting.js'

/** Keys of the guards, which pause training if a step shows that it goes wrong. */
export const guarding = {
  guard: {
    klBudget: real(
      0,
      { min: 0 },
      'Training pauses if the mean of |log π − log π_ref| per trained token, over guard.steps steps, is above this, in nats. 0 = never.',
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
    upRateDrop: real(
      0,
      { min: 0, max: 1 },
      'Training pauses if the thumbs-up rate of the last guard.upRateVotes votes that trained is lower by more than this than that of up to four times as many before them, and the whole interval of the difference is below 0, with users as clusters. 0 = never.',
    ),
    upRateVotes: integer(1_000, { min: 100, max: 100_000 }, 'How many votes guard.upRateDrop takes as the last ones.'),
    steps: integer(50, { min: 1, max: 10_000 }, 'Over how many steps the guards take their means.'),
  },
}
