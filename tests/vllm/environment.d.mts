/** Variables for its processes. */
export const VLLM_VARIABLES: Readonly<Record<string, string>>
/** Path of the environment's Python; builds the environment where it is missing. */
export function vllmEnvironment(): string
