# Needs Rust, Python 3.11, make and cc. Everything else is fetched, pinned, into $(TWINPOOL_CACHE); nothing is installed
# outside of this checkout.

# Where the private Python environments and tools are kept. Set it to share them between checkouts.
TWINPOOL_CACHE ?= .local
CARGO_TARGET_DIR ?= target
export TWINPOOL_CACHE

CARGO_DENY = 0.20.2
CARGO_CYCLONEDX = 0.5.9
ENSURE = tests/localcloud/python/ensure
LOCALCLOUD = $(CARGO_TARGET_DIR)/debug/twinpool-localcloud
FUNCTIONS = post-confirmation post-authentication custom-message admin-events replicator reconciler importer
# What they are built from, and for: x86_64 or arm64, as the templates' parameter Architecture.
CRATES = twinpool-triggers twinpool-admin-events twinpool-replicator twinpool-reconciler twinpool-importer
ARCHITECTURE ?= x86_64
BUILT = $(CARGO_TARGET_DIR)/$(if $(filter arm64,$(ARCHITECTURE)),aarch64,x86_64)-unknown-linux-gnu/release

.PHONY: help build up down demo test soak lint lint-rust lint-deps lint-infra bench package sbom \
  deploy-primary deploy-recovery-key deploy-recovery clean-local

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-20s %s\n", $$1, $$2 }' Makefile

# Tests included, because their dependencies switch features on: built apart, everything would be compiled twice.
build: ## compile everything that the demo and the tests run (debug)
	cargo build --workspace --bins --tests --locked

up: build ## a demo pool that is backed up, on the local cloud: the templates of infra, deployed
	$(ENSURE) ministack
	$(LOCALCLOUD) up >/dev/null
	$(TWINPOOL_CACHE)/venv/ministack/bin/python tests/localcloud/deploy/up.py --run-dir .local/run --bin-dir $(CARGO_TARGET_DIR)/debug

down: ## stop the local cloud
	@if [ -x $(LOCALCLOUD) ]; then $(LOCALCLOUD) down; fi

demo: build ## a pool is copied across Regions while you watch: no AWS account needed
	$(ENSURE) ministack
	$(CARGO_TARGET_DIR)/debug/demo

# Without nextest the number of tests is asked for first: a run of no tests is no success. (nextest fails by itself.)
# Two tests a processor: most of an end-to-end test is waiting, for quotas, redeliveries and processes.
test: build ## run every test
	@for name in ministack tools moto cognito-local; do $(ENSURE) $$name || exit 1; done
	@if cargo nextest --version >/dev/null 2>&1; then \
	  set -x; cargo nextest run --workspace --locked --no-tests fail --test-threads $$((2 * $$(getconf _NPROCESSORS_ONLN))); \
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

# Two checkers: cfn-lint against AWS's schemas, checkov against policies; what does not apply is in infra/.checkov.yaml.
lint-infra:
	$(ENSURE) tools
	$(TWINPOOL_CACHE)/venv/tools/bin/cfn-lint infra/*.yaml
	$(ENSURE) checkov
	LOG_LEVEL=ERROR CKV_SKIP_PACKAGE_UPDATE_CHECK=true $(TWINPOOL_CACHE)/venv/checkov/bin/checkov --config-file infra/.checkov.yaml \
	  --directory infra

# Where Node and npm are installed, also beside tools of the npm registry; one of them takes half an hour.
bench: package ## run the benchmarks (figures: shared/docs/PERFORMANCE.md)
	$(ENSURE) ministack
	cargo bench --locked -p twinpool-benches
	cargo build --locked -p twinpool-tests --bin bench
	$(CARGO_TARGET_DIR)/debug/bench --binaries $(BUILT)

package: ## build the Lambda packages that the templates in infra name, reproducibly (ARCHITECTURE=x86_64 or arm64)
	python3 infra/build.py --architecture $(ARCHITECTURE) $(CRATES)
	python3 infra/package.py --architecture $(ARCHITECTURE) $(BUILT) target/package $(FUNCTIONS)

# It writes a list beside every Cargo.toml; those of what is packaged are kept, without the folder of this checkout.
sbom: $(TWINPOOL_CACHE)/cargo/bin/cargo-cyclonedx ## list what the packages are made of (CycloneDX, into target/sbom)
	SOURCE_DATE_EPOCH=315532800 $< cyclonedx --format json --spec-version 1.5 --target x86_64-unknown-linux-gnu
	mkdir -p target/sbom
	for crate in $(CRATES); do \
	  find triggers consumers -name $$crate.cdx.json -exec sed 's|file://$(CURDIR)/|file:///twinpool/|g' {} + > target/sbom/$$crate.cdx.json; \
	  [ -s target/sbom/$$crate.cdx.json ] || exit 1; \
	done
	rm -f shared/*.cdx.json tests/*.cdx.json tests/*/*.cdx.json triggers/*/*.cdx.json consumers/*/*.cdx.json

$(TWINPOOL_CACHE)/cargo/bin/cargo-cyclonedx:
	CARGO_PROFILE_DEV_DEBUG=0 cargo install --debug --locked --root $(TWINPOOL_CACHE)/cargo cargo-cyclonedx@$(CARGO_CYCLONEDX)

# infra/deploy.py reads STACK, BUCKET, REGION, PARAMETERS, YES, ALLOW_REPLACEMENT and AWS_CLI: make passes on what its command
# line names.
deploy-primary: ## show the change set of infra/primary.yaml, ask, deploy (BUCKET=... PARAMETERS="Key=Value ...")
	python3 infra/deploy.py primary.yaml

deploy-recovery-key: ## the same of infra/recovery-key.yaml (REGION=... BUCKET=... PARAMETERS=...)
	python3 infra/deploy.py recovery-key.yaml

deploy-recovery: ## the same of infra/recovery.yaml
	python3 infra/deploy.py recovery.yaml

clean-local: down ## stop the local cloud and remove what this checkout fetched for it
	rm -rf .local
