// Votes of simulated users on two arms. Users differ in taste (beta) and in how often they vote (Pareto, so that a few
// give most of the votes), and go on voting: their sums grow while one looks.

/** Numbers in [0, 1), the same for one seed (mulberry32). */
export function randomFrom(seed) {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

function normal(random) {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())
}

/** Marsaglia and Tsang, 2000. */
function gamma(shape, random) {
  if (shape < 1) return gamma(shape + 1, random) * (1 - random()) ** (1 / shape)
  const d = shape - 1 / 3
  const c = 1 / Math.sqrt(9 * d)
  for (;;) {
    const x = normal(random)
    const v = (1 + c * x) ** 3
    if (v > 0 && Math.log(1 - random()) < 0.5 * x * x + d - d * v + d * Math.log(v)) return d * v
  }
}

function beta(a, b, random) {
  const x = gamma(a, random)
  return x / (x + gamma(b, random))
}

/**
 * The votes of one stream.
 *
 * @param options  seed; users in all; share of them in the canary; up, the thumbs-up rate of live; effect, what the
 *                 canary adds to it; taste, a + b of the beta distribution; tail, of the Pareto distribution
 * @yields {{ user: number, isCanary: boolean, isUp: boolean }}
 */
export function* voteStream({ seed, users, share, up, effect, taste, tail, votes }) {
  const random = randomFrom(seed)
  const people = Array.from({ length: users }, () => {
    const isCanary = random() < share
    const rate = up + (isCanary ? effect : 0)
    return { isCanary, likes: beta(taste * rate, taste * (1 - rate), random) }
  })
  const upTo = []
  let sum = 0
  for (let i = 0; i < users; i++) {
    sum += (1 - random()) ** (-1 / tail)
    upTo.push(sum)
  }
  for (let vote = 0; vote < votes; vote++) {
    const at = random() * sum
    let low = 0
    for (let high = users - 1; low < high; ) {
      const middle = (low + high) >> 1
      if (upTo[middle] > at) high = middle
      else low = middle + 1
    }
    const { isCanary, likes } = people[low]
    yield { user: low, isCanary, isUp: random() < likes }
  }
}

/**
 * Follows one stream and looks after every vote.
 *
 * @param rates   makes what counts the votes of one arm (`ClusteredRate`)
 * @param cap     votes of one user that count
 * @param look    called after every vote with both arms and how many votes there were; true ends the stream
 */
export function follow(stream, { rate, cap }, look) {
  const canary = rate()
  const live = rate()
  const counts = new Map()
  let seen = 0
  for (const { user, isCanary, isUp } of stream) {
    seen += 1
    const before = counts.get(user) ?? { votes: 0, ups: 0 }
    if (before.votes < cap) {
      const after = { votes: before.votes + 1, ups: before.ups + (isUp ? 1 : 0) }
      counts.set(user, after)
      const arm = isCanary ? canary : live
      arm.change(before, after)
    }
    if (look(canary, live, seen)) return
  }
}
