import { checkContinuation, readContent, readPrompt } from '../../events/content.js'
import { invalidFeedback } from '../../events/fields.js'
import type { JsonObject } from '../../events/json.js'
import { type Completion, choiceId } from '../completion.js'
import type { Answer, Choice } from './answer.js'
import type { CompletionRequest, Prompt, Unvotable } from './request.js'

/** How the answer ended. */
export type Ending = 'whole' | Extract<Unvotable, 'cut' | 'client_left'>

/** What every choice of an answer has in common. */
export type Answered = Pick<Completion, 'id' | 'time' | 'model' | 'adapter' | 'arm' | 'user'>

/**
 * The records of an answer, one for each choice. Each one can be voted on only if bcod could read the vote: that is
 * tried, with the reader of votes itself.
 *
 * @param answer  null: it was too long to be kept
 */
export function completionsOf(
  request: CompletionRequest,
  answered: Answered,
  answer: Answer | null,
  ending: Ending,
): readonly Completion[] {
  if (answer === null) return [unvotable(answered, 'too_long')]
  const how = answer.hasFailed ? 'cut' : ending
  const records = [...answer.choices].map(([k, choice]) => {
    const prompt = request.prompts[Math.floor(k / request.n)]
    const id = choiceId(answered.id, k)
    if (prompt === undefined) return unvotable({ ...answered, id }, 'unreadable')
    const promptTokens = choice.promptTokens ?? answer.promptTokens
    const content = contentOf(request, prompt, choice, promptTokens)
    const reason = request.obstacle ?? endReason(choice, how) ?? contentReason(content)
    // what nobody can vote on is not kept: images, and texts that are not whole
    if (reason !== null) return unvotable({ ...answered, id }, reason)
    return { ...answered, id, ...content, ...ended(choice, answer), votable: true, reason: null }
  })
  // a choice that has ended well can be voted on, even if the answer to another one has not begun
  return records.length === 0 && how !== 'whole' ? [unvotable(answered, how)] : records
}

type ContentPart = Pick<
  Completion,
  'prompt' | 'completion' | 'tools' | 'templateArguments' | 'promptTokens' | 'completionTokens'
>

function contentOf(
  request: CompletionRequest,
  prompt: Prompt,
  choice: Choice,
  promptTokens: readonly number[] | null,
): ContentPart {
  const isChat = prompt.kind === 'messages'
  return {
    prompt: isChat ? prompt.messages : prompt.kind === 'text' ? prompt.text : '',
    completion: isChat ? spoken(choice) : choice.text,
    tools: request.tools,
    templateArguments: request.templateArguments,
    promptTokens: promptTokens ?? (prompt.kind === 'tokens' ? prompt.tokens : null),
    completionTokens: choice.tokens,
  }
}

/** Text, or a message if there is more than text. */
function spoken({ text, reasoning, toolCalls }: Choice): string | readonly JsonObject[] {
  if (reasoning === '' && toolCalls.length === 0) return text
  return [
    {
      role: 'assistant',
      content: text === '' && toolCalls.length > 0 ? null : text,
      ...(reasoning !== '' && { reasoning_content: reasoning }),
      ...(toolCalls.length > 0 && { tool_calls: toolCalls }),
    },
  ]
}

const ended = ({ finishReason }: Choice, { usage }: Answer) => ({ finishReason, usage })

/** A choice has ended if the server says why, whatever happened to the connection afterwards. */
const endReason = ({ finishReason }: Choice, ending: Ending): Unvotable | null =>
  finishReason === null ? (ending === 'whole' ? 'cut' : ending) : null

function contentReason({ prompt, completion, ...rest }: ContentPart): Unvotable | null {
  if (completion === '' && rest.completionTokens === null) return 'empty'
  const { tools, templateArguments: chat_template_kwargs, promptTokens: prompt_tokens } = rest
  const data: JsonObject = {
    ...{ prompt, completion, prompt_tokens, tools, chat_template_kwargs },
    completion_tokens: rest.completionTokens,
  }
  try {
    const asked = readPrompt(data, '', null, invalidFeedback)
    const said = readContent(data, 'completion', 'completion_tokens', '', null, invalidFeedback)
    checkContinuation(asked, said, 'completion', invalidFeedback)
    return null
  } catch {
    return 'unreadable'
  }
}

const unvotable = (answered: Answered, reason: Unvotable): Completion => ({
  ...answered,
  ...{ prompt: '', completion: '', tools: null, templateArguments: null, promptTokens: null, completionTokens: null },
  ...{ finishReason: null, usage: null, votable: false, reason },
})
