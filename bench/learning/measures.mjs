/** How well an adapter ranks pairs, by measure and pair; `margin` is log π/πref of the chosen less the rejected, in nats. */
export const measures = {
  accuracy: (margin) => (margin > 0 ? 1 : margin === 0 ? 0.5 : 0),
  log_sigma: (margin, beta) => Math.min(0, beta * margin) - Math.log1p(Math.exp(-Math.abs(beta * margin))),
}
