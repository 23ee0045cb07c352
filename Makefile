# The two to know: `make demo` and `make test`. Each does its own set-up.
.PHONY: setup demo demo-serving check test changed test-node test-faults soak dashboards dashboards-test dashboards-look k8s-test cluster-test devices-test test-peft test-trl test-sklearn vllm-test circle-test tutorial-test import-test s3-test lint bench bench-trl bench-launches bench-gpu docs house image image-test release clean

setup:
	@node scripts/setup.mjs

demo: setup
	@node dist/cli.js demo

# needs what vllm-test needs: gateway, Kafka, daemon and a real vLLM on this machine, and answers that votes have changed
demo-serving:
	@node scripts/demo-serving.mjs

# a minute: formatting, lint, types and the unit tests; needs node_modules and no build, TensorFlow, broker or browser
check:
	@node scripts/setup.mjs --packages
	@npm run --silent lint
	@npx --no-install vitest run --project unit $(call coverage,unit)

# `make check` first, then what needs TensorFlow, a broker, processes and tools; coverage at the end
test: coverage = --coverage --coverage.reportsDirectory=coverage/$(1)
test: check
	@node scripts/setup.mjs --tests
	@npx --no-install vitest run --project '!unit' $(call coverage,rest)
	@node scripts/coverage.mjs unit rest

# the unit and engine tests that a change since REF (the last commit) touches: make changed REF=origin/main
changed: setup
	@npx --no-install vitest run --project unit --project engine --passWithNoTests --changed $(or $(REF),HEAD)

# the core of the suite under each version of Node that is supported, which come from npm
test-node:
	@node scripts/setup.mjs --tests
	@node scripts/nodes.mjs

# what takes too long for `make test`: long outages of the broker, every stage of a kill, every random case (docs/testing.md)
test-faults:
	@node scripts/setup.mjs --tests
	@BCOD_TEST_FAULTS=1 npx --no-install vitest run tests/faults tests/soak tests/grafana/live.test.ts $$(grep -rl support/thorough tests --include=*.test.ts)

# random votes and random faults: make soak MINUTES=30 SEED=7
soak:
	@node scripts/setup.mjs --tests
	@BCOD_TEST_FAULTS=1 SOAK_MINUTES=$(MINUTES) SOAK_SEED=$(or $(SEED),$(shell date +%s)) npx --no-install vitest run tests/soak

# writes grafana/*.json from grafana/src
dashboards: setup
	@node scripts/dashboards.mjs

# every query of every panel on a real Prometheus that scrapes a real daemon; alerts with promtool
dashboards-test:
	@node scripts/setup.mjs --tests
	@node scripts/prometheus.mjs
	@BCOD_TEST_FAULTS=1 npx --no-install vitest run tests/grafana tests/deploy/alerts.test.ts tests/docs

# draws every page over an hour of the demo, as OUT/PAGE-SIZE-THEME.png; needs Chromium, a minute for Grafana's libraries
dashboards-look:
	@node scripts/setup.mjs --tests
	@node scripts/prometheus.mjs
	@BCOD_TEST_LOOK=$(abspath $(or $(OUT),dashboards)) npx --no-install vitest run tests/grafana/look.test.ts

# needs Python 3.11 or newer and 2.1 GB for PyTorch, PEFT and TRL (docs/performance.md)
test-peft: setup
	@node tests/peft/run.mjs

# needs Python 3.11 or newer and 2.1 GB for PyTorch, PEFT and TRL (docs/performance.md); at the end PyTorch's side of
# bench-gpu, a tiny model on the CPU
test-trl: setup
	@node tests/trl/run.mjs
	@node bench/gpu/run.mjs --only agree --python "$$(node bench/trl/environment.mjs)"

# needs Python 3.11 or newer, 2.1 GB for the environment of test-trl, and 20 MB of real embeddings
test-sklearn:
	@node scripts/setup.mjs --tests
	@node -e "import('./bench/trl/environment.mjs').then(({ pythonEnvironment }) => pythonEnvironment())"
	@BCOD_TEST_SKLEARN=1 npx --no-install vitest run tests/sklearn

# needs Python 3.11, 2.6 GB for vLLM on the CPU, and 6 GB of memory: real servers load what a daemon publishes (docs/serving.md)
vllm-test:
	@node scripts/setup.mjs --tests
	@node scripts/vllm/environment.mjs
	@BCOD_TEST_VLLM=1 npx --no-install vitest run tests/vllm --no-file-parallelism

# needs what vllm-test needs: OpenAI's clients ask and vote through the gateway, and their answers change
# (docs/gateway.md); then `make demo-serving`
circle-test:
	@node scripts/setup.mjs --tests
	@node scripts/vllm/environment.mjs
	@BCOD_TEST_VLLM=1 npx --no-install vitest run tests/vllm/circle.test.ts tests/vllm/demo-serving.test.ts --no-file-parallelism

# needs what vllm-test needs, Chromium, free ports and PyPI: every line of docs/tutorial-chat-ui.md
tutorial-test:
	@node scripts/setup.mjs --tests
	@node scripts/vllm/environment.mjs
	@BCOD_TEST_TUTORIAL=1 BCOD_TEST_TUTORIAL_PICTURES=$(and $(OUT),$(abspath $(OUT))) npx --no-install vitest run tests/tutorial

# needs Python 3.11 or 3.12, a C++ compiler and 8 GB for MLflow, Phoenix, Open WebUI, Label Studio, Flowise and TRL: real
# votes through `bcod import` (docs/import.md)
import-test:
	@node scripts/setup.mjs --tests
	@node -e "import('./bench/trl/environment.mjs').then(({ pythonEnvironment }) => pythonEnvironment())"
	@node tests/products/environment.mjs
	@BCOD_TEST_PRODUCTS=1 npx --no-install vitest run tests/products

# needs Go: the registry in a bucket, on a real S3 server and with faults between the two (docs/adapters.md)
s3-test:
	@node scripts/setup.mjs --tests
	@node scripts/s3-server.mjs
	@BCOD_TEST_S3=1 npx --no-install vitest run tests/s3 tests/adapters/registry/registry-contract.test.ts tests/adapters/storage

# needs kubectl, Python 3 and Go: deploy/k8s against the schemas of five Kubernetes versions, kube-score and its own checks
k8s-test: setup
	@npx --no-install vitest run tests/deploy
	@node tests/deploy/validate.mjs

# needs kubectl and Go: deploy/k8s and the lines of docs/deployment.md on Kubernetes' own API server and controllers
cluster-test:
	@node scripts/setup.mjs --tests
	@BCOD_TEST_CLUSTER=1 npx --no-install vitest run tests/deploy/cluster

# a step has the same bits at one, two and three places, in every way to run; places that differ; a replay on one place;
# workers as processes, which fail in every kind of run
devices-test:
	@node scripts/setup.mjs --tests
	@BCOD_TEST_FAULTS=1 npx --no-install vitest run tests/engine/places.test.ts tests/engine/cluster tests/learner/place tests/learner/rounds.test.ts tests/learner/sampling.test.ts tests/learner/workers tests/cli/replay-places.test.ts tests/cli/replay-workers.test.ts

lint: setup
	@npm run --silent lint

bench: setup
	@node dist/cli.js bench

# needs what test-peft needs, and a machine with nothing else to do
bench-trl: setup
	@node bench/trl/run.mjs

# what a step asks of a GPU, counted without one and held against a budget; 572 MB for TensorFlow's GPU build, and cc
bench-launches: setup
	@node bench/launches.mjs

# on a machine with an NVIDIA GPU: numbers, speed against PyTorch, memory; without one what needs none (docs/performance.md)
bench-gpu: setup
	@node bench/gpu/run.mjs $(FLAGS)

docs: setup
	@node scripts/docs.mjs

# the size of the house in figures: files, functions, comments, imports
house: setup
	@node scripts/house.mjs

# the container image, with buildah, podman or docker: BCOD_TF=gpu make image FLAGS="--pull"
image:
	@node scripts/image/build.mjs $(FLAGS)

# builds the image and runs it, alone and with Kafka as cpu-dev has it; installs buildah, podman and what they need
# where it may (Debian, root). cpu-dev needs kubectl, and Maven where Kafka's image cannot be pulled
image-test:
	@node scripts/setup.mjs --tests
	@BCOD_TEST_IMAGE=1 npx --no-install vitest run tests/deploy

# archive, bill of materials and hashes of the commit, the same bytes on every machine: make release OUT=release; SECURITY.md
release:
	@node scripts/release.mjs $(or $(OUT),release)

clean:
	rm -rf dist node_modules
