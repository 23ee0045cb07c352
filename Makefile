# The two to know: `make demo` and `make test`. Each does its own set-up.
.PHONY: setup demo test lint bench docs clean

setup:
	@node scripts/setup.mjs

demo: setup
	@node dist/cli.js demo

test:
	@node scripts/setup.mjs --tests
	@npx --no-install vitest run

lint: setup
	@npm run --silent lint

bench: setup
	@node dist/cli.js bench

docs: setup
	@node scripts/docs.mjs

clean:
	rm -rf dist node_modules
