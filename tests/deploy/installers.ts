/** Programs and folders that install, unpack, compile, fetch or interpret: none of them belongs into an image that runs. */
const NAMES = [
  ...[
    'npm',
    'npx',
    'corepack',
    'yarn',
    'yarnpkg',
    'pnpm',
    'node-gyp',
    'pip\\d?[\\d.]*',
    'python[\\d.]*',
    'perl[\\d.]*',
  ],
  ...[
    'apt(-\\w+)?',
    'dpkg(-\\w+)?',
    'rpm',
    'apk',
    'tar',
    'bsdtar',
    'unzip',
    'gzip',
    'xz',
    'ar',
    'cpio',
    'curl',
    'wget',
  ],
  ...[
    'sh',
    'bash',
    'dash',
    'busybox',
    'gcc[-\\d]*',
    'g\\+\\+[-\\d]*',
    'cc',
    'c\\+\\+',
    'cpp',
    'ld',
    'as',
    'make',
    'su',
    'mount',
  ],
]

/** A path in an image that ends in one of them, in a folder of programs or as a folder of modules of its own. */
export const INSTALLERS = new RegExp(
  `(/s?bin/(${NAMES.join('|')})|/node_modules/(npm|corepack|node-gyp|tar|adm-zip|pacote|@npmcli)|/var/lib/(dpkg|apt)|/etc/apt|/lib/python[\\d.]*|/lib/apt)(/|$)`,
)
