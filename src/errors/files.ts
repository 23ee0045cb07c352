import type { ErrorTable } from './entry.js'

/** Files and directories. */
export const FILE_ERRORS = {
  SAFETENSORS_INVALID: {
    cause: 'A safetensors file is cut short, or its header does not describe its bytes.',
    remedy: 'Download or copy the file again and compare its size and sha256 with the source.',
  },
  DIRECTORY_FOREIGN: {
    cause: "A directory for checkpoints or adapters has things in it that are not bcod's.",
    remedy:
      "Give checkpoint.dir and adapters.dir each an empty or new directory. If everything else in it is bcod's, move the named file out of it.",
  },
  FILE_FOREIGN: {
    cause: 'A file is not what its name says: a Git LFS pointer, a web page, another format or another encoding.',
    remedy: 'The message says what it is; put the file itself in its place.',
  },
  FILE_UNREADABLE: {
    cause: 'A file given to a command cannot be read.',
    remedy: 'Check the path and its permissions.',
  },
  OUTPUT_NOT_EMPTY: {
    cause: 'The directory for results holds something already.',
    remedy: 'Give --out a directory that is empty or does not exist; nothing is ever overwritten.',
  },
  OUTPUT_IS_INPUT: {
    cause: 'Results would be written over the file that they come from.',
    remedy: 'Name another file; nothing was written.',
  },
  OUTPUT_UNWRITABLE: {
    cause: 'Results cannot be written to their place.',
    remedy: 'Check that the directory may be written and that its disk has space.',
  },
} as const satisfies ErrorTable
