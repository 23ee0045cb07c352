import type { Config } from '../config/config.js'
import { textOptions } from '../config/text-options.js'
import { TextProcess, type TextProcessOptions } from '../text/text-process.js'

/** With the pauses between them, tries for a quarter of a minute. */
const TRIES = 5

/**
 * The model's tokenizer and template for one command; null if it has no tokenizer. If their process ends and cannot be
 * started again, the command fails: somebody waits for its end.
 *
 * @throws TOKENIZER_INVALID, CHAT_TEMPLATE_FAILED, CHAT_TEMPLATE_MISSING, TEXT_TIMEOUT, TEXT_PROCESS_ENDED
 */
export function openText(
  modelPath: string,
  config: Config,
  text: TextProcessOptions['text'] = textOptions(config),
): Promise<TextProcess | null> {
  return TextProcess.start(modelPath, { timeout: config.limits.tokeniseTimeout, text, tries: TRIES })
}
