# Needs Rust, Python 3.11, make and cc. Everything else is fetched, pinned, into $(TWINPOOL_CACHE); nothing is installed
# outside of this checkout.

# Where the private Python environments and tools are kept. Set it to share them between checkouts.
TWINPOOL_CACHE ?= .local
CARGO_TARGET_DIR ?= target
export TWINPOOL_CACHE

CARGO_DENY = 0.20.2
ENSURE = tests/localcloud/python/ensure
LOCALCLOUD = $(CARGO_TARGET_DIR)/debug/twinpool-localcloud
FUNCTIONS = post-confirmation post-authentication custom-message admin-events replicator reconciler importer

.PHONY: help build up down demo test soak lint lint-rust lint-deps lint-infra bench package clean-local

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

# Tests included, because their dependencies switch features on: built apart, everything would be compiled twice.
build: ## compile everything that the demo and the tests run (debug)
	cargo build --workspace --bins --tests --locked

up: ## start the local cloud and print its endpoint URL
	$(ENSURE) ministack
	cargo build --locked -p twinpool-localcloud
	$(LOCALCLOUD) up

down: ## stop the local cloud
	@if [ -x $(LOCALCLOUD) ]; then $(LOCALCLOUD) down; fi

demo: build ## a pool is copied across Regions while you watch: no AWS account needed
	$(ENSURE) ministack
	$(CARGO_TARGET_DIR)/debug/demo

# Without nextest the number of tests is asked for first: a run of no tests is no success. (nextest fails by itself.)
test: build ## run every test
	@for name in ministack tools moto cognito-local; do $(ENSURE) $$name || exit 1; done
	@if cargo nextest --version >/dev/null 2>&1; then \
	  set -x; cargo nextest run --workspace --locked --no-tests fail; \
	else \
	  count=$$(cargo test --workspace --lib --bins --tests --locked -- --list 2>/dev/null | grep -c ': test$$'); \
	  if [ "$$count" -eq 0 ]; then echo 'make test: no tests were found' >&2; exit 1; fi; \
	  set -x; cargo test --workspace --lib --bins --tests --locked; \
	fi

# Not by nextest, whose configuration ends a test after eight minutes.
soak: ## run ten thousand random histories of the simulation instead of a thousand
	@export TWINPOOL_SEEDS=10000; \
	count=$$(cargo test -p twinpool-tests --test main --locked simulation -- --list 2>/dev/null | grep -c ': test$$'); \
	if [ "$$count" -eq 0 ]; then echo 'make soak: no tests were found' >&2; exit 1; fi; \
	set -x; cargo test -p twinpool-tests --test main --locked simulation

lint: lint-rust lint-deps lint-infra ## format, clippy, documentation, dependencies, templates

lint-rust:
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	RUSTDOCFLAGS=-Dwarnings cargo doc --no-deps --workspace --locked

# Compiling cargo-deny takes minutes: .ci/run does it, here it is used where it is found.
lint-deps:
	@if PATH="$(TWINPOOL_CACHE)/cargo/bin:$$PATH" cargo deny --version >/dev/null 2>&1; then \
	  set -x; PATH="$(TWINPOOL_CACHE)/cargo/bin:$$PATH" \
	    cargo deny --locked --config .cargo/deny.toml check --hide-inclusion-graph bans licenses sources; \
	else \
	  echo 'cargo-deny is not installed, dependencies are not checked: make $(TWINPOOL_CACHE)/cargo/bin/cargo-deny'; \
	fi

# Not optimised: it runs once for seconds, and compiles in a third of the time.
$(TWINPOOL_CACHE)/cargo/bin/cargo-deny:
	CARGO_PROFILE_DEV_DEBUG=0 cargo install --debug --locked --root $(TWINPOOL_CACHE)/cargo cargo-deny@$(CARGO_DENY)

lint-infra:
	$(ENSURE) tools
	$(TWINPOOL_CACHE)/venv/tools/bin/cfn-lint infra/*.yaml

# Where Node and npm are installed, also beside tools of the npm registry; one of them takes half an hour.
bench: package ## run the benchmarks (figures: shared/docs/PERFORMANCE.md)
	$(ENSURE) ministack
	cargo bench --locked -p twinpool-benches
	cargo build --locked -p twinpool-tests --bin bench
	$(CARGO_TARGET_DIR)/debug/bench

# One command per crate, so that a trigger is not built with the features that only the replicator asks for.
package: ## build the Lambda packages (x86_64, optimised) that the templates in infra name
	for crate in twinpool-triggers twinpool-admin-events twinpool-replicator twinpool-reconciler twinpool-importer; do \
	  cargo build --release --locked -p $$crate || exit 1; \
	done
	python3 infra/package.py $(CARGO_TARGET_DIR)/release target/package $(FUNCTIONS)

clean-local: down ## stop the local cloud and remove what this checkout fetched for it
	rm -rf .local
