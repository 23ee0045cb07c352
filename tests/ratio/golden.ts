import { readFileSync } from 'node:fs'

interface Golden {
  readonly X: number[][]
  readonly y: number[]
  readonly trl: { readonly coef: number[]; readonly intercept: number; readonly rejected_weight_f32: number[] }
  readonly tight: {
    readonly coef: number[]
    readonly intercept: number
    readonly prob_desirable: number[]
    readonly rejected_weight_f64: number[]
  }
}

/** scikit-learn's class-balanced fit of 200 embeddings: as TRL calls it, and solved to 1e-14 (`tight`). */
export const golden: Golden = JSON.parse(readFileSync(new URL('../golden/udm_logreg.json', import.meta.url), 'utf8'))
export const goldenEmbeddings = golden.X.map((x) => Float64Array.from(x))
export const goldenLabels = golden.y.map((y) => y === 1)
