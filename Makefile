# Tools are pinned here and run with "go run", so that they do not enter the
# module graph of those who use the library.
GOLANGCI_LINT := go run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0

# Modules of their own, so that what they need is in nobody else's graph.
NESTED := testutil/bench examples/observability testutil/inspector/browsertest

# How long each fuzz target runs.
FUZZTIME ?= 1m

# How many rounds of kill -9 make chaos has.
ROUNDS ?= 100
ROUNDS_POSTGRES ?= 30

.PHONY: check test test/postgres test/browser lint tidy fuzz chaos redactions backlog bench bench/compare bench/exact bench/growth bench/soak golden help

check: tidy lint test ## what CI checks: module files, lint, vet, race tests

test: ## all tests with the race detector
	go vet ./...
	go test -race -timeout 10m ./...
	@set -e; for module in $(NESTED); do (cd $$module && go vet ./... && go test -timeout 10m ./...); done

test/postgres: ## the tests that need PostgreSQL (TEST_DATABASE_URL, or the server's binaries); they fail rather than skip
	CI=true go test -race -timeout 10m ./publisher/outbox/postgres/... ./publisher/outbox/cmd/... ./testutil/pgtest/... ./examples/apptemplate/...

test/browser: ## the tests of the inspector in Chromium (on PATH) and by axe (by npm); they fail rather than skip
	cd testutil/inspector/browsertest/testdata/axe && npm ci --no-audit --no-fund
	cd testutil/inspector/browsertest && CI=true go test -count=1 -timeout 10m ./...

lint: ## golangci-lint
	$(GOLANGCI_LINT) run ./...
	@set -e; for module in $(NESTED); do (cd $$module && $(GOLANGCI_LINT) run ./...); done

tidy: ## fail if go.mod or go.sum is not tidy
	go mod tidy -diff
	@set -e; for module in $(NESTED); do (cd $$module && go mod tidy -diff); done

fuzz: ## run every fuzz target for FUZZTIME (default 1m; 10000x is so many inputs)
	@set -e; for pkg in $$(go list ./...); do \
		for target in $$(go test -list '^Fuzz' $$pkg | grep '^Fuzz' || true); do \
			echo "$$pkg $$target"; \
			go test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) $$pkg; \
		done; \
	done

chaos: ## kill -9 the durable queues, ROUNDS times (default 100; ROUNDS_POSTGRES 30); a database away for a minute
	OUTBOX_CHAOS_ROUNDS=$(ROUNDS) go test -count=1 -v -timeout 30m -run '^TestCrash$$' ./publisher/outbox/sqlite
	OUTBOX_CHAOS_ROUNDS=$(ROUNDS_POSTGRES) go test -count=1 -v -timeout 60m -run '^TestChaos_KillNine$$' ./publisher/outbox/postgres
	OUTBOX_AWAY=60s go test -count=1 -v -timeout 5m -run '^TestRun_OutlastsTheDatabase$$' ./publisher/outbox/postgres

redactions: ## take out each redaction in turn, and want the test of personal data to miss it (half an hour)
	REDACTIONS=1 go test -count=1 -v -timeout 2h -run '^TestRedactionsAreNeeded$$' ./examples

backlog: ## a million pending events in SQLite and in PostgreSQL
	OUTBOX_BACKLOG=1000000 go test -count=1 -v -timeout 10m -run '^TestBacklog$$' ./publisher/outbox/sqlite ./publisher/outbox/postgres

bench: ## run every benchmark
	go test -run '^$$' -bench . -benchmem ./...

bench/compare: ## measure every goal against its peer, in one run (TEST_DATABASE_URL for PostgreSQL)
	cd testutil/bench && go run . compare -json compare.json -svg events-per-second.svg

bench/exact: ## the goals that CI holds; fails if a gate is missed
	cd testutil/bench && go run . compare -exact

bench/growth: ## what an event costs as depth, workers, size, subscriptions and kept rows grow (TEST_DATABASE_URL for PostgreSQL)
	cd testutil/bench && go run . growth

bench/soak: ## half an hour at 500 events/s with faults; fails unless memory is flat and nothing lost
	cd testutil/bench && go run . soak -for 30m -rate 500

golden: ## rewrite golden files from what the code does; look at the diff
	go test ./testutil -update

help: ## this list
	@grep -E '^[a-z/]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z\/]+):.*## /\1\t/' | expand -t 16
