# `make demo` shows Portway at work, `make test` passes every test; both install what they need first.

CARGO ?= cargo
BIN := target/release/portway
export PATH := $(PATH):/usr/sbin:/sbin:$(CURDIR)/target/tools/usr/bin:$(CURDIR)/target/tools/usr/sbin

.PHONY: demo test lint bench release install clean

demo: ## the guided tour, in a private sandbox
	@scripts/need cargo cc
	$(CARGO) build --release --locked -p portway
	$(BIN) demo

test: ## every test, with real packets, kubectl and DNS clients
	@scripts/need cargo cc kubectl kubectl-newest nft dig
	$(CARGO) fmt --all --check
	PORTWAY_TEST_TOOLS=dig $(CARGO) test --workspace --locked --no-fail-fast
	PATH="$(CURDIR)/target/tools/usr/bin:$$PATH" $(CARGO) test --workspace --locked --test kubectl

lint: ## formatting, clippy, licences and duplicate crates
	@scripts/need cargo cc
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings
	@if command -v cargo-deny >/dev/null; then $(CARGO) deny check bans licenses sources; \
	else echo "cargo-deny is not installed: skipping licences (cargo install cargo-deny)"; fi

bench: ## the figures of the README, on this machine
	@scripts/need cargo cc kubectl
	$(CARGO) build --release --locked -p portway
	$(BIN) bench all
	$(CARGO) bench --workspace --locked

release: ## the binary, completions and man pages, in dist/
	@scripts/need cargo cc
	$(CARGO) build --release --locked -p portway
	mkdir -p dist/completions dist/man
	cp $(BIN) dist/portway
	for shell in bash zsh fish; do $(BIN) completion $$shell > dist/completions/portway.$$shell; done
	$(BIN) man dist/man

install: release ## into $(DESTDIR)/usr/local
	install -D dist/portway $(DESTDIR)/usr/local/bin/portway
	install -D -t $(DESTDIR)/usr/local/share/man/man1 dist/man/*.1
	install -D dist/completions/portway.bash $(DESTDIR)/usr/local/share/bash-completion/completions/portway

clean:
	$(CARGO) clean
	rm -rf dist
