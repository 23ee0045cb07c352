/** Variables for its processes. */
export const VLLM_VARIABLES: Readonly<Record<string, string>>
/** The environment's folder, which may not be there yet. */
export function vllmFolder(): string
/** Path of the environment's Python; builds the environment if it is missing. */
export function vllmEnvironment(): string
/** Fails with the first thing that is missing. */
export function requireMachine(): void
