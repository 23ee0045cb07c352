import type { Readable } from 'node:stream'
import type { Capture } from '../answers/capture.js'
import type { Ending } from '../answers/records.js'
import type { MemberRewriter } from '../json/member-rewriter.js'
import type { AnswerBody } from '../upstream/ask-server.js'

/** What happens to an answer on its way. */
export interface OnTheWay {
  readonly capture: Capture
  /** What the client gets in place of the bytes of the model server. */
  readonly rewriter: MemberRewriter
  /** Aborted when the client has left. */
  readonly left: AbortSignal
  readonly firstByte: () => void
  /** Called once, when nothing comes any more. */
  readonly ended: (ending: Ending) => void
}

/**
 * The answer of a model server as the client gets it: each piece goes on in the call that brings it. If the server ends
 * early, so does the stream, with an error, and the client sees a connection that breaks, as it would without a gateway.
 */
export function answerStream(body: AnswerBody, { capture, rewriter, left, firstByte, ended }: OnTheWay): Readable {
  let hasBegun = false
  body.once('close', () => ended(body.readableEnded ? 'whole' : left.aborted ? 'client_left' : 'cut'))
  return body.through((piece) => {
    if (!hasBegun) firstByte()
    hasBegun = true
    capture.push(piece)
    return rewriter.push(piece)
  })
}
