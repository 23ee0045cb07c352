/** What users get who are not to get what is learnt. */
export interface Control {
  /** Null: the base model. */
  readonly version: string | null
  /** The name under which servers know it. */
  readonly model: string
  readonly share: number
}

/** Which users get something else than the live version. */
export interface ArmPlan {
  readonly control: Control | null
  /** How many canaries there have been. */
  readonly canaries: number
  /** Of the canary that is under test; null: there is none. */
  readonly canary: { readonly share: number /** RFC 3339 */; readonly started: string } | null
}

/** Every user gets the live version. */
export const NO_ARMS: ArmPlan = { control: null, canaries: 0, canary: null }
