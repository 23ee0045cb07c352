import { secret } from './setting.js'

/** Keys of the way in: how votes come to the topic. */
export const gateway = {
  gateway: {
    userSalt: secret(
      "What users' ids are hashed with before they are written anywhere, random (openssl rand -hex 32). Everything that writes votes of the same users needs the same one.",
    ),
  },
  import: {
    key: secret('API key that bcod import --url asks a product with, unless --key-file names a file that holds it.'),
  },
}
