/** A value that stays on the device between calls. Not int32: TensorFlow keeps such variables in the host's memory. */
export interface Variable {
  readonly name: string
  readonly shape: readonly number[]
  readonly dtype: 'float32' | 'bfloat16'
  /** Which of the stages of a place keeps it. @default 0 */
  readonly stage?: number
  /**
   * What servers of a cluster call it if its values never change and follow from this name: it outlives its session there.
   * @default it ends with its session
   */
  readonly keptAs?: string
}

export const stageOf = ({ stage = 0 }: Variable): number => stage

/** Inputs come from the host. They travel as int32; a float input travels as its bits. */
export type Inputs = Readonly<
  Record<string, { readonly shape: readonly number[]; readonly dtype: 'float32' | 'int32' }>
>

/** Names of the arguments of a program's functions: letters, digits and underscores only. */
export const inputArgument = (key: string) => `in_${key}`
export const variableArgument = (variable: Variable) => `var_${variable.name.replace(/[^A-Za-z0-9_]/g, '_')}`
