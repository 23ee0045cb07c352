/** What the gateway does not pass on: a server of models would load or drop adapters for anybody. */
const FORBIDDEN = /^\/v1\/+(un)?load_lora_adapter\/*$/i

/** No percent sign is left and no backslash: nobody may hide another path in it. */
const PLAIN = /^\/v1\/[^%\\]*$/

/**
 * What of a request's target comes after `/v1`, as it was written. Null if it must not be passed on: it is outside `/v1`, one that
 * steps up, or one that moves adapters.
 */
export function passablePath(url: string): string | null {
  const [path = ''] = url.split('?', 1)
  let decoded: string
  try {
    decoded = decodeURIComponent(path)
  } catch {
    return null
  }
  const steps = decoded.split('/')
  if (!PLAIN.test(decoded) || steps.includes('..') || steps.includes('.') || FORBIDDEN.test(decoded)) return null
  return url.slice('/v1'.length)
}

/** Base URL of an OpenAI-compatible API, up to and with `/v1`, whether the configuration has that or not. */
export function apiBase(url: string): URL {
  const base = new URL(url)
  const path = base.pathname.replace(/\/+$/, '')
  base.pathname = path.endsWith('/v1') ? path : `${path}/v1`
  return base
}
