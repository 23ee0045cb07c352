export interface PlaceShape {
  readonly hidden: number
  readonly intermediate: number
  readonly layers: number
  readonly heads: number
  readonly kvHeads: number
  readonly head: number
}
export interface StepParts {
  readonly block: number
  readonly apply?: number
  readonly bytes: number
  readonly link: number
  readonly call: number
}
export const SHAPES: Readonly<Record<'smollm2-135m' | '1b' | '8b' | '70b', PlaceShape>>
export function frozenParameters(shape: PlaceShape): number
export function adapterBytes(shape: PlaceShape, r: number): number
export function blockSeconds(shape: PlaceShape, work: { readonly tokens: number; readonly flops: number }): number
export function stepSeconds(places: number, blocks: number, parts: StepParts): number
export function speedUp(places: number, parts: StepParts): number
export function lastThatPays(parts: StepParts, most?: number): number
