import { secret } from './setting.js'

/** Keys of the way in: how votes come to the topic. */
export const gateway = {
  gateway: {
    userSalt: secret(
      "What users' ids are hashed with before they are written anywhere, random (openssl rand -hex 32). Everything that writes votes of the same users needs the same one.",
    ),
  },
}
