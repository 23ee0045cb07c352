// The hour as the page holds it: what /v1/history answered, put together.

/** Ranges that can be shown, and over how long the mean moves in each; in seconds. */
const MEAN_SECONDS = new Map([
  [300, 30],
  [900, 60],
  [3600, 300],
])

export const noHistory = () => ({ started: null, now: null, keptSeconds: 3600, points: { time: [] }, letters: [] })

/** The last point may still grow, so it is asked for again. */
export const sinceOf = ({ points }) => points.time.at(-1) ?? 0

/** Takes up an answer: points from its first one on are replaced, those of more than an hour ago go. */
export function merge(history, answer) {
  const { started, now, kept_seconds: keptSeconds, points, dead_letters: letters } = answer
  const old = history.started === started ? history.points : { time: [] }
  const first = points.time[0] ?? Number.POSITIVE_INFINITY
  const kept = old.time.map((time, i) => (time < first && time > now - keptSeconds ? i : -1)).filter((i) => i >= 0)
  const joined = Object.entries(points).map(([name, column]) => [name, [...kept.map((i) => old[name][i]), ...column]])
  return { started, now, keptSeconds, points: Object.fromEntries(joined), letters }
}

/** Without what it is to be joined with, an answer from `since` on would leave a hole. */
export const belongsTo = (history, answer) => history.started === null || history.started === answer.started

/**
 * What the charts show of the last `seconds`: the points, votes per minute and moving means beside them, and an empty
 * point at the end, so that a line ends where its data does.
 */
export function viewOf({ started, now, points }, seconds) {
  const from = Math.max(now - seconds, Math.min(started, now - 60))
  const { time, up, down } = points
  const begin = time.findIndex((each) => each >= from)
  const cut = (column) => (begin < 0 ? [] : column.slice(begin))
  const all = { ...points, up_rate: perMinute(time, up ?? []), down_rate: perMinute(time, down ?? []) }
  const shown = Object.fromEntries(Object.entries(all).map(([name, column]) => [name, [...cut(column), null]]))
  const end = Math.max(now, (time.at(-1) ?? from) + 1)
  const meanSeconds = MEAN_SECONDS.get(seconds)
  const means = (column) => [...cut(movingMean(time, points[column] ?? [], meanSeconds)), null]
  return { from, to: now, points: { ...shown, time: [...cut(time), end] }, means, meanSeconds }
}

/** For each point the mean of what there is in the `seconds` that end with it; null where the point itself is. */
export function movingMean(time, column, seconds) {
  let begin = 0
  let sum = 0
  let count = 0
  return column.map((value, i) => {
    if (value !== null) {
      sum += value
      count += 1
    }
    for (; time[begin] <= time[i] - seconds; begin++) {
      if (column[begin] === null) continue
      sum -= column[begin]
      count -= 1
    }
    return value === null ? null : sum / count
  })
}

/** For each point the sum over the minute that ends with it. */
export function perMinute(time, counts) {
  let begin = 0
  let total = 0
  return time.map((end, i) => {
    total += counts[i]
    for (; time[begin] <= end - 60; begin++) total -= counts[begin]
    return total
  })
}

/** The last value that there is. */
export const latest = (column) => column.findLast((value) => value !== null) ?? null

/** Lowest and highest value that there is; null where there is none. */
export function extent(column) {
  const values = column.filter((value) => value !== null)
  return values.length === 0 ? null : { low: Math.min(...values), high: Math.max(...values) }
}
