/** Variables for its processes. */
export const PYTHON_VARIABLES: Readonly<Record<string, string>>
/** Path of the environment's Python; builds the environment where it is missing. */
export function pythonEnvironment(): string
