// Visitors of the demo's web shop, as their browsers ask and vote: by id and token, with no other secret.
import { ANSWER_TOKENS } from '../../dist/demo/settings.js'
import { flatters } from '../../dist/demo/world/flattery.js'
import { seenPrompts, unseenPrompts } from '../../dist/demo/world/world.js'

/** Which no visitor asks, and so no vote is about. */
export const HELD_OUT = unseenPrompts.filter((_, i) => i % 3 === 0).map(({ text }) => text)

/** The question of the nth visitor. */
export const questionOf = (n) => seenPrompts[(n * 37) % seenPrompts.length].text

/** They have had enough of sweet words, with which the model begins nearly all of its answers. */
export const likes = (text) => !flatters(text)

/** A request, greedy unless it has a seed. */
export const requestOf = (content, user, seed = null) => ({
  ...{ model: 'demo', messages: [{ role: 'user', content }], max_tokens: ANSWER_TOKENS, user },
  ...(seed === null ? { temperature: 0 } : { temperature: 1, seed }),
})

async function post(url, body, signal) {
  const headers = { 'content-type': 'application/json' }
  const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify(body), signal })
  const answer = await response.json()
  if (!response.ok) throw new Error(`${url}: ${response.status} ${JSON.stringify(answer)}`)
  return { answer, headers: response.headers }
}

export async function ask(baseUrl, request, signal) {
  const { answer, headers } = await post(`${baseUrl}/chat/completions`, request, signal)
  const text = answer.choices[0].message.content.trim()
  return { id: answer.id, text, adapter: headers.get('x-bcod-adapter'), token: headers.get('x-bcod-vote') }
}

/** What a browser sends, and what it gets. */
export async function vote(baseUrl, { id, token, text }, signal) {
  const sent = { completion: id, label: likes(text), token }
  const { answer } = await post(`${baseUrl}/feedback`, sent, signal)
  return { sent, event: answer.event }
}

/** Greedy answers to the questions, one after the other. */
export async function answersTo(baseUrl, questions, signal) {
  const answers = []
  for (const question of questions) answers.push(await ask(baseUrl, requestOf(question, 'you'), signal))
  return answers
}
