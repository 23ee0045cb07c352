/** What one check found. `remedy` says what to do where it is not ok. */
export interface Finding {
  readonly name: string
  readonly status: 'ok' | 'warn' | 'fail'
  readonly detail: string
  readonly remedy: string | null
}

export const pass = (name: string, detail: string): Finding => ({ name, status: 'ok', detail, remedy: null })

export const warn = (name: string, detail: string, remedy: string): Finding => ({
  name,
  status: 'warn',
  detail,
  remedy,
})

export const fail = (name: string, detail: string, remedy: string): Finding => ({
  name,
  status: 'fail',
  detail,
  remedy,
})
