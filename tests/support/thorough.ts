/** Whether this is `make test-faults`, which runs in full what `make test` runs a part of. */
export const thorough = process.env.BCOD_TEST_FAULTS === '1'

/** The cases of a test: `all`, or `one` of each kind in `make test`. */
export const cases = <T>(all: readonly T[], one: readonly T[]): readonly T[] => (thorough ? all : one)

/** How many random cases a property is compared with: `full`, or a tenth of it in `make test`. */
export const runs = (full: number): number => (thorough ? full : Math.ceil(full / 10))
