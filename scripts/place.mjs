// Puts files where a running process may have them open, mapped or about to be loaded. What is equal is left alone; all
// else is written beside its place and renamed over it, so that whoever has the old file keeps it whole.
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'

/** Puts bytes or a text at `path`. @returns whether anything has changed */
export function placeContent(content, path, mode = 0o644) {
  const bytes = Buffer.from(content)
  if (lstatSync(path, { throwIfNoEntry: false })?.isFile() && readFileSync(path).equals(bytes)) return false
  mkdirSync(dirname(path), { recursive: true })
  over(path, (beside) => {
    writeFileSync(beside, bytes, { mode })
    // the mode of writeFileSync is cut by the umask
    chmodSync(beside, mode)
  })
  return true
}

/** Puts a copy of `from` at `path`. @returns whether anything has changed */
export const placeFile = (from, path) => placeContent(readFileSync(from), path, statSync(from).mode & 0o777)

/** Makes `path` a symbolic link to `target`. @returns whether anything has changed */
export function placeLink(target, path) {
  const there = lstatSync(path, { throwIfNoEntry: false })
  if (there?.isSymbolicLink() && readlinkSync(path) === target) return false
  mkdirSync(dirname(path), { recursive: true })
  // no rename replaces a directory by a link
  if (there?.isDirectory()) rmSync(path, { recursive: true })
  over(path, (beside) => symlinkSync(target, beside))
  return true
}

/** Puts a copy of every file of `from` at its place under `path`. */
export function placeTree(from, path) {
  for (const name of filesIn(from)) placeFile(join(from, name), join(path, name))
}

/** Removes the files under `path` that `from` does not have. */
export function removeOthers(from, path) {
  const wanted = new Set(filesIn(from))
  for (const name of filesIn(path)) if (!wanted.has(name)) rmSync(join(path, name), { force: true })
  removeEmptyFolders(path)
}

/** Runs `write` on a name beside `path` and renames the result over it. */
function over(path, write) {
  const beside = `${path}.tmp-${process.pid}`
  rmSync(beside, { force: true })
  try {
    write(beside)
    renameSync(beside, path)
  } finally {
    rmSync(beside, { force: true })
  }
}

const filesIn = (folder) =>
  statSync(folder, { throwIfNoEntry: false })
    ? readdirSync(folder, { recursive: true, withFileTypes: true })
        .filter((entry) => !entry.isDirectory())
        .map((entry) => join(entry.parentPath, entry.name).slice(join(folder, '/').length))
    : []

function removeEmptyFolders(folder) {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (!entry.isDirectory()) continue
    const child = join(folder, entry.name)
    removeEmptyFolders(child)
    if (readdirSync(child).length === 0) rmdirSync(child)
  }
}
