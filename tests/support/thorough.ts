/** Whether this is `make test-faults`, which runs in full what `make test` runs a part of. */
export const thorough = process.env.BCOD_TEST_FAULTS === '1'

/** How many random cases a property is compared with: `full`, or a tenth of it in `make test`. */
export const runs = (full: number): number => (thorough ? full : Math.ceil(full / 10))
