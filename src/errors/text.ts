import type { ErrorTable } from './entry.js'

/** Chat template and tokenizer. */
export const TEXT_ERRORS = {
  TEXT_WITHOUT_TOKENIZER: {
    cause: 'An event holds text, but the model directory has no tokenizer.json.',
    remedy: 'Add tokenizer.json to the model directory, or publish prompt_tokens and completion_tokens.',
  },
  TOKENIZER_INVALID: {
    cause: 'A tokenizer file of the model directory cannot be read or is of a kind that is not supported.',
    remedy: 'Download the file again; tokenizer.json must be one that the Hugging Face tokenizers library writes.',
  },
  TOKENIZE_FAILED: {
    cause: 'The tokenizer could not turn a text into token ids of the model.',
    remedy: 'Check that tokenizer.json belongs to the model; publish token ids for texts that it cannot hold.',
  },
  CHAT_TEMPLATE_MISSING: {
    cause: 'An event holds messages, but the model directory has no chat template.',
    remedy: 'Add chat_template.jinja to the model directory, or publish the prompt as one text or as token ids.',
  },
  CHAT_TEMPLATE_FAILED: {
    cause: 'The chat template cannot be read, or refused the messages.',
    remedy: 'Check roles and their order against the template, or publish the prompt as one text or as token ids.',
  },
  MESSAGE_NOT_RENDERED: {
    cause: 'The chat template does not write tools, tool calls or the reasoning of an answer that an event holds.',
    remedy:
      'Take a template that writes them, or publish the prompt as one text or prompt and completion as token ids.',
  },
  CONTROL_TOKEN_IN_TEXT: {
    cause:
      'A message or a completion holds a control token of the model, such as the one that ends a turn: its author could speak for others.',
    remedy:
      'Such votes are refused by limits.specialTokens=reject; escape trains them as plain characters, allow as control tokens. What the server itself made of a text is published as one literal text or as token ids.',
  },
  TEXT_TIMEOUT: {
    cause: 'Chat template and tokenizer of the model took longer for a text than limits.tokeniseTimeout.',
    remedy:
      'If it is a single vote, look at its dead letter. If every text does it, the template or a pattern in tokenizer.json never ends: compare them with the publisher’s. On a slow machine, raise the limit.',
  },
  TEXT_PROCESS_ENDED: {
    cause:
      'The process that runs chat template and tokenizer ended: the text or the template took all its memory, or it was killed.',
    remedy:
      'If it is a single vote, look at its dead letter. If every text does it, compare the chat template and tokenizer.json with the publisher’s; see that the container has memory and may start processes.',
  },
} as const satisfies ErrorTable
