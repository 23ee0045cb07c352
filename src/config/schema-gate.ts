import { duration, flag, integer, list, optionalText, real, records, secret, text, words } from './setting.js'

/** Keys of the gate: what a candidate must pass before it becomes live. */
export const gating = {
  gate: {
    maxUpdateNorm: real(
      1,
      { above: 0 },
      'Largest update of a weight matrix, relative to the matrix: ‖ΔW‖ / ‖W‖ in Frobenius norms, over all modules.',
    ),
    maxKlBase: real(
      0,
      { min: 0 },
      'Largest KL divergence of a candidate from the base, in nats per token, at recent completions: the upper end of its 95 % interval. 0 = not checked.',
    ),
    maxKlLive: real(
      0,
      { min: 0 },
      'The same from the live version: how much one publication may change. 0 = not checked.',
    ),
    tolerance: real(
      0.02,
      { min: 0 },
      'How much worse than the live version a candidate may do on held-out votes: nats of balanced loss, and AUC. It is refused only if the 95 % interval of the difference lies on the worse side of 0.',
    ),
    holdOutMin: integer(
      50,
      { min: 2, max: 10_000 },
      'Conversations with a held-out vote of each label that it takes to compare candidates on held-out votes. With fewer, the checks are skipped.',
    ),
    holdOutRequired: flag(false, 'Refuse candidates while there are fewer held-out votes than gate.holdOutMin.'),
    probes: list(
      ['shipped'],
      "Files of pairs {prompt, chosen, rejected} (JSONL): a candidate must not come to prefer the rejected answers more than the base does. shipped: bcod's own small set, for a model with tokenizer and chat template that writes plain sentences. Read once, at the start.",
    ),
    probeTolerance: real(
      10,
      { min: 0 },
      "How much the mean margin of a probe may fall below the base's, in nats per pair. The lower end of its 95 % interval counts.",
    ),
    golden: list(
      [],
      'Files of prompts (JSONL) whose greedy answers must keep to rules of length, repetition and script. They need a decoder: about the memory of one cache of keys and values for 4 answers, at each of devices that answers.',
    ),
    exec: records(
      {
        name: text('exec', 'Of the check: exec:NAME. Letters, digits, - and _.'),
        command: words('Program and arguments. No shell reads them.'),
      },
      'Programs of your own that judge a candidate. docs/gate.md says what they get and print.',
    ),
    webhook: records(
      {
        name: text('webhook', 'Of the check: webhook:NAME. Letters, digits, - and _.'),
        url: optionalText('Where the request goes. Required.'),
        token: secret('Bearer token of the service.'),
      },
      'Services of your own that judge a candidate.',
    ),
    timeout: duration(
      '5m',
      { min: 100 },
      'How long one program or service may take. One that takes longer counts as an error: the candidate is not published.',
    ),
  },
}
