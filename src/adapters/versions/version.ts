/** Published versions are named by the step whose adapter they hold: `v00001234`. */
export const versionName = (step: number): string => `v${String(step).padStart(8, '0')}`

/** The step of a version; null if that is no name of one. */
export function versionStep(name: string): number | null {
  const digits = /^v(\d{8,15})$/.exec(name)?.[1]
  return digits === undefined ? null : Number(digits)
}

/** The name under which model servers know a version: every version has one of its own. */
export const servedName = (name: string, version: string): string => `${name}-${version}`

/** The version that an answer's model names, bare or as servers know it; null if it is none of that name. */
export function answeringVersion(model: string, name: string): string | null {
  const version = model.startsWith(`${name}-`) ? model.slice(name.length + 1) : model
  return versionStep(version) === null ? null : version
}
