/** Published versions are named by the step whose adapter they hold: `v00001234`. */
export const versionName = (step: number): string => `v${String(step).padStart(8, '0')}`

/** The step of a version; null if that is no name of one. */
export function versionStep(name: string): number | null {
  const digits = /^v(\d{8,15})$/.exec(name)?.[1]
  return digits === undefined ? null : Number(digits)
}

/** The name under which model servers know a version: every version has one of its own. */
export const servedName = (name: string, version: string): string => `${name}-${version}`
