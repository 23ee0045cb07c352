import { buckets, increase, of, type PageSpec, quantiles, rate, UP_AND_DOWN } from './panel.js'

const here = '{{instance}}'

/** Reasons that a producer or a rule of this daemon gives; that users change their mind, or that another daemon has the vote, is no loss. */
const LOST = 'reason=~"duplicate|stale|completion_too_long|prompt_cap|user_cap|source_refused"'

export const feedback: PageSpec = {
  uid: 'bcod-feedback',
  title: 'bcod: Feedback',
  description: 'What votes come in, what becomes of them, and how soon they are live.',
  rows: [
    {
      title: 'Votes',
      panels: [
        {
          kind: 'lines',
          colours: UP_AND_DOWN,
          title: 'Votes by label',
          shows: 'Valid votes read from the topic, a second.',
          good: 'both up and down, at the rhythm of your users.',
          bad: 'one of the two is gone, or nothing comes at all.',
          unit: 'cps',
          queries: [
            { expr: `sum by (instance, label) (${rate('bcod_feedback_events_total')})`, legend: `{{label}} ${here}` },
          ],
        },
        {
          kind: 'lines',
          sparse: true,
          title: 'Share of thumbs-up',
          shows: 'Thumbs-up among thumbs-up and thumbs-down.',
          good: 'rises over days as the adapter gets better.',
          bad: 'a jump with an adapter version, or 0 or 100 %: a producer has lost a label.',
          unit: 'percentunit',
          queries: [
            {
              expr: `sum by (instance) (${rate('bcod_feedback_events_total', 'label="up"')}) / sum by (instance) (${rate('bcod_feedback_events_total', 'label=~"up|down"')})`,
              legend: here,
            },
          ],
        },
        {
          kind: 'lines',
          title: 'Lag',
          shows:
            'Records of each assigned partition that are not acknowledged: unread, held back, or waiting for a step.',
          good: 'flat, about what arrives within stream.holdBack and batch.maxLatency.',
          bad: 'rises for half an hour: votes come faster than steps.',
          unit: 'short',
          queries: [{ expr: of('bcod_consumer_lag_records'), legend: `partition {{partition}} ${here}` }],
        },
        {
          kind: 'lines',
          title: 'Held back',
          shows: 'Votes that wait for a later vote on the same completion.',
          good: 'about the votes that come within stream.holdBack.',
          bad: 'rises without end: some partition is never read to its end.',
          unit: 'short',
          queries: [{ expr: of('bcod_held_back_records'), legend: here }],
        },
        {
          kind: 'lines',
          colours: UP_AND_DOWN,
          title: 'Held out',
          shows: 'Held-out votes that are kept to measure candidates on.',
          good: 'both labels well above gate.holdOutMin; 0 if eval.holdOut is 0.',
          bad: 'one label stays near 0: the gate cannot compare candidates on votes.',
          unit: 'short',
          queries: [{ expr: of('bcod_held_out_votes'), legend: `{{label}} ${here}` }],
        },
        {
          kind: 'states',
          colours: { '': 'orange' },
          title: 'Paused',
          shows: '1 while reading is paused because too much waits, or training by an admin.',
          good: '0.',
          bad: 'reading at 1 for minutes: steps are too slow, or the dead-letter topic or the disk accepts nothing; training at 1: a person paused it and must resume it.',
          unit: 'bool',
          queries: [
            { expr: of('bcod_reading_paused'), legend: `reading ${here}` },
            { expr: of('bcod_training_paused'), legend: `training ${here}` },
          ],
        },
        {
          kind: 'lines',
          title: 'Partitions',
          shows: 'Partitions that each daemon reads.',
          good: 'all partitions of the topic, on one daemon.',
          bad: '0 for more than the session timeout while no other daemon has them.',
          unit: 'short',
          queries: [{ expr: of('bcod_assigned_partitions'), legend: here }],
        },
        {
          kind: 'lines',
          title: 'Behind an open transaction',
          shows: 'How long what can be read of a partition has ended at the same place, while the log has more.',
          good: '0, or up to the commit interval of a producer that writes in transactions.',
          bad: 'above 5 minutes: a producer has not ended its transaction, and what follows cannot be read.',
          unit: 's',
          queries: [{ expr: of('bcod_uncommitted_seconds'), legend: here }],
        },
        {
          kind: 'lines',
          title: 'Times of producers put right',
          shows: 'Records without a time, or with one that is off by over a minute, a second.',
          good: 'none, which is certain if the topic stamps the records (message.timestamp.type=LogAppendTime).',
          bad: 'many: a producer’s clock is wrong. Its votes are held back by the time at which they were read.',
          unit: 'cps',
          queries: [
            {
              expr: `sum by (reason) (${rate('bcod_event_times_corrected_total')})`,
              legend: '{{reason}}',
            },
          ],
        },
        {
          kind: 'lines',
          title: 'Time until unread votes are deleted',
          shows: 'Least time over partitions until the topic’s retention deletes a record that has not been read.',
          good: 'close to the topic’s retention.ms.',
          bad: 'below an hour, or falling while reading is paused.',
          unit: 's',
          bounds: { above: false, look: 6 * 3600, wrong: 3600 },
          queries: [
            {
              expr: of('bcod_retention_headroom_seconds'),
              legend: here,
            },
          ],
        },
        {
          kind: 'lines',
          title: 'Offset commits',
          shows: 'Commits of group offsets, a second; they follow checkpoints.',
          good: 'one with each checkpoint.',
          bad: 'none while checkpoints are written: the group has other ideas of who reads.',
          unit: 'cps',
          queries: [{ expr: rate('bcod_offset_commits_total'), legend: here }],
        },
      ],
    },
    {
      title: 'What does not train',
      panels: [
        {
          kind: 'lines',
          wide: true,
          title: 'Drops by reason',
          shows: 'Votes that end without training, a second.',
          good: 'repeat, superseded and retraction, if users change their mind.',
          bad: 'duplicate: a producer sends twice. stale, user_cap, prompt_cap: a limit bites more than you meant.',
          unit: 'cps',
          queries: [
            {
              expr: `sum by (reason) (${rate('bcod_feedback_dropped_total')})`,
              legend: '{{reason}}',
            },
          ],
        },
        {
          kind: 'bars',
          wide: true,
          title: 'Dead letters by code',
          shows: 'Records written to the dead-letter topic, by the code in docs/errors.md.',
          good: 'none.',
          bad: 'any code that keeps coming: a producer has changed what it sends.',
          unit: 'short',
          bounds: { above: true, look: 1 },
          queries: [{ expr: `sum by (code) (${increase('bcod_dead_letters_total')})`, legend: '{{code}}' }],
        },
        {
          kind: 'lines',
          sparse: true,
          title: 'Share lost',
          shows: 'Drops for duplicates, age, length, caps and sources, among valid votes.',
          good: 'below a tenth.',
          bad: 'above a third: most of what users say is not learnt.',
          unit: 'percentunit',
          bounds: { above: true, look: 0.1, wrong: 0.33 },
          queries: [
            {
              expr: `sum by (instance) (${rate('bcod_feedback_dropped_total', LOST)}) / sum by (instance) (${rate('bcod_feedback_events_total')})`,
              legend: here,
            },
          ],
        },
        {
          kind: 'lines',
          title: 'Framed records',
          shows: 'Records whose JSON stood behind a schema registry’s five bytes, a second.',
          good: 'all or none of your producers’ records.',
          bad: 'an unintended change.',
          unit: 'cps',
          queries: [{ expr: rate('bcod_framed_records_total'), legend: here }],
        },
      ],
    },
    {
      title: 'Freshness',
      panels: [
        {
          kind: 'lines',
          sparse: true,
          title: 'From vote to step',
          shows: 'From a vote in the log to the end of the step that learnt from it.',
          good: 'stream.holdBack and up to batch.maxLatency more.',
          bad: 'minutes, and rising with the lag.',
          unit: 's',
          queries: quantiles('bcod_feedback_to_step_seconds'),
        },
        {
          kind: 'lines',
          sparse: true,
          title: 'From vote to live adapter',
          shows: 'From a vote in the log to the published adapter that learnt from it.',
          good: '30 to 90 s with the default settings.',
          bad: 'far above the line of the steps: checkpoints are slow or fail.',
          unit: 's',
          queries: quantiles('bcod_feedback_to_publish_seconds'),
        },
        {
          kind: 'heatmap',
          wide: true,
          title: 'From vote to live adapter, all of them',
          shows: 'The same as a heat map.',
          good: 'one narrow band.',
          bad: 'a second band above it: a partition that waits, or votes from before a restart.',
          unit: 's',
          queries: buckets('bcod_feedback_to_publish_seconds'),
        },
      ],
    },
    {
      title: 'Prompt embeddings',
      panels: [
        {
          kind: 'lines',
          title: 'Embedded prompts',
          shows: 'Prompts for which embeddings.url was needed, a second; 0 if ratio.embedder is not endpoint.',
          good: 'cached and embedded.',
          bad: 'failed: these votes train with w = 1, and the classifier does not learn from them.',
          unit: 'cps',
          queries: [
            {
              expr: `sum by (outcome) (${rate('bcod_embedded_prompts_total')})`,
              legend: '{{outcome}}',
            },
          ],
        },
        {
          kind: 'lines',
          title: 'Prompts without an embedding',
          shows: 'Prompts without a finite embedding since the line began.',
          good: 'flat.',
          bad: 'a slope: the embedding service fails, or gives numbers that are not finite.',
          unit: 'short',
          queries: [{ expr: of('bcod_classifier_refused_prompts'), legend: here }],
        },
      ],
    },
  ],
}
