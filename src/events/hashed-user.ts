import { createHmac } from 'node:crypto'

/**
 * What events call a user: the same for the same user and salt, and of no use to whoever does not have the salt. Without
 * one, a hash of an email address is found by trying addresses.
 *
 * @returns 32 hexadecimal digits of HMAC-SHA-256
 */
export const hashedUser = (user: string, salt: string): string =>
  createHmac('sha256', salt).update(user).digest('hex').slice(0, 32)
