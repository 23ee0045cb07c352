import { BcodError } from '../errors.js'
import type { JsonObject } from '../events/json.js'
import type { Message } from '../events/types.js'
import type { ChatTemplate, Conversation, Ending } from './chat-template.js'
import type { ControlTokens } from './control-tokens.js'
import {
  type ArgumentForm,
  conversation,
  endsWithinAnswer,
  joined,
  type Messages,
  requireExactArguments,
} from './conversation.js'
import { type Part, partsNotWritten } from './rendered.js'

/** Writes the messages of votes with the model's chat template. What it writes may be marked (`marks.ts`). */
export class TemplateWriter {
  /** @param withTools  the template for votes with tools, where the model has one of its own for them */
  constructor(
    private readonly template: ChatTemplate,
    private readonly withTools: ChatTemplate | null,
    private readonly control: ControlTokens,
    private readonly templateArguments: JsonObject,
  ) {}

  /**
   * The prompt as the model gets it: up to the beginning of its turn, or, where the last message is the assistant's,
   * up to the end of what that says, so that the answer goes on from there.
   *
   * @throws CHAT_TEMPLATE_FAILED, MESSAGE_NOT_RENDERED, CONTROL_TOKEN_IN_TEXT
   */
  prompt(prompt: Messages, now: number): string {
    return this.#write(prompt, [], endsWithinAnswer(prompt) ? 'continue' : 'generation-prompt', now)
  }

  /** Prompt and answer, up to the end of the turn. @throws as `prompt` */
  exchange(prompt: Messages, answer: readonly Message[], now: number): string {
    if (!endsWithinAnswer(prompt)) return this.#write(prompt, answer, 'none', now)
    const goesOn = joined(prompt.messages.at(-1)!, answer)
    if (goesOn === null) {
      throw new BcodError(
        'CHAT_TEMPLATE_FAILED',
        "the prompt ends within the assistant's turn and the completion does not go on with it",
      )
    }
    return this.#write({ ...prompt, messages: prompt.messages.slice(0, -1) }, goesOn, 'none', now)
  }

  #write(prompt: Messages, answer: readonly Message[], ending: Ending, now: number): string {
    const whole = this.#conversation(prompt, answer, 'object')
    const template = whole.tools === null ? this.template : (this.withTools ?? this.template)
    const refused = this.#refusal(template, whole, answer.length, ending, now)
    if (refused === null) {
      requireExactArguments([...prompt.messages, ...answer])
      return template.render(whole, ending, now)
    }
    const asText = this.#conversation(prompt, answer, 'text')
    if (this.#refusal(template, asText, answer.length, ending, now) === null)
      return template.render(asText, ending, now)
    throw refused
  }

  /** Why the template cannot be used for all of it; null if it can. */
  #refusal(
    template: ChatTemplate,
    whole: Conversation,
    answers: number,
    ending: Ending,
    now: number,
  ): BcodError | null {
    let missing: readonly Part[]
    try {
      missing = partsNotWritten(template, whole, answers, ending, now)
    } catch (error) {
      if (error instanceof BcodError) return error
      throw error
    }
    if (missing.length === 0) return null
    return new BcodError(
      'MESSAGE_NOT_RENDERED',
      `the chat template does not write the ${missing.join(' and the ')} of the vote`,
    )
  }

  #conversation(prompt: Messages, answer: readonly Message[], argumentForm: ArgumentForm): Conversation {
    const { control, templateArguments } = this
    return conversation(prompt, answer, { control, templateArguments, argumentForm })
  }
}
