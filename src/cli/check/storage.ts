import { constants } from 'node:fs'
import { access, stat } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import type { Config } from '../../config/config.js'
import { BcodError } from '../../errors.js'
import { assertOwn } from '../../files/own-directory.js'
import { type Finding, fail, pass } from '../doctor/finding.js'
import { checkDisk } from '../doctor/machine.js'

/** The checkpoint directory, there or to be made, whether it and the registry are bcod's own, and the space there. */
export async function checkStorage({ checkpoint, adapters }: Config): Promise<readonly Finding[]> {
  const directory = checkpoint.dir
  const both = [checkpoint.dir, adapters.dir].filter((each) => each !== null)
  return [
    ...(directory === null ? [] : [await checkWritable(directory)]),
    ...both.flatMap((each) => checkOwn(each, both)),
    await checkDisk(directory),
  ]
}

function checkOwn(directory: string, besides: readonly string[]): readonly Finding[] {
  try {
    assertOwn(directory, besides)
    return []
  } catch (error) {
    // what cannot be read is told of by others
    return error instanceof BcodError ? [fail('directories', error.line, error.remedy)] : []
  }
}

async function checkWritable(directory: string): Promise<Finding> {
  const path = resolve(directory)
  const remedy = 'Point checkpoint.dir at a directory that this user may write, or that can be made.'
  for (let each = path; ; each = dirname(each)) {
    const found = await stat(each).catch(() => null)
    if (found === null && each !== dirname(each)) continue
    if (!found?.isDirectory()) return fail('checkpoints', `${each} is not a directory`, remedy)
    const writable = await access(each, constants.W_OK | constants.X_OK).then(
      () => true,
      () => false,
    )
    if (!writable) return fail('checkpoints', `${each} is not writable`, remedy)
    return pass('checkpoints', each === path ? path : `${path}, to be made`)
  }
}
