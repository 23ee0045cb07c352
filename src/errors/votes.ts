import type { ErrorTable } from './entry.js'

/** What the gateway answers to votes. */
export const VOTE_ERRORS = {
  VOTE_INVALID: {
    cause: 'A vote, or an event that was sent to the gateway, is not of the documented form.',
    remedy: 'Send the fields that docs/gateway.md lists; the message names the one that is wrong.',
  },
  VOTE_UNAUTHORISED: {
    cause: 'A vote came without a vote token and without a valid API key.',
    remedy: 'Send the X-Bcod-Vote of the answer as token, or an API key of gateway.apiKeysFile as a bearer token.',
  },
  VOTE_TOKEN_INVALID: {
    cause: 'A vote token is forged, has expired, was signed by another key, or belongs to another answer.',
    remedy:
      'Send the token unchanged and for the answer that it came with. All replicas need the same gateway.voteKey; while it is replaced, both keys.',
  },
  VOTE_RATE: {
    cause:
      'One user sends more votes a minute than gateway.votesPerMinute, or one API key more than gateway.keyVotesPerMinute.',
    remedy:
      'Wait as long as Retry-After says. If the votes are real, raise the limit that the message names; history is for bcod import.',
  },
  COMPLETION_UNKNOWN: {
    cause: 'No answer with this id is in the completions topic.',
    remedy:
      'Send the id of the answer as the gateway gave it. An answer without X-Bcod-Vote, or one whose replica was killed, may have no record: nobody can vote on it.',
  },
  COMPLETION_EXPIRED: {
    cause: 'The answer is older than gateway.voteTtl, or the completions topic no longer keeps it.',
    remedy:
      'Nothing can be done for this vote. For later ones raise gateway.voteTtl and retention.ms of the completions topic.',
  },
  COMPLETION_NOT_VOTABLE: {
    cause: 'The answer cannot be trained on, for example because it was cut or the prompt contains images.',
    remedy: 'Offer no vote for answers of this kind; the message names the reason.',
  },
  LOG_UNAVAILABLE: {
    retryable: true,
    cause: 'Kafka did not answer in time, so the vote is not acknowledged. It may still arrive.',
    remedy:
      'Send the vote again after some seconds, with the same sequence: it counts once. If this goes on, look at the brokers.',
  },
} as const satisfies ErrorTable
