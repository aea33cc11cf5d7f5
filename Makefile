# Archipelago. `make` alone prints the targets.

GO      ?= go
BIN     := bin
GOFLAGS_BUILD = -trimpath -ldflags "-X archipelago/internal/version.version=$$(sh packaging/version.sh)"
COMMANDS := $(notdir $(wildcard cmd/*))
SCRIPTS  := .ci/run $(wildcard test/setup/*.sh packaging/*.sh packaging/archipelago/p*st* packaging/archipelago/prerm test/packages/*.sh test/packages/scenarios/*.sh \
	test/vm/*.sh test/vm/init test/system/image.sh test/system/load)

.DEFAULT_GOAL := help
.PHONY: help check-go build generate generated lint demo test test-soak bench docs deb apt-repo \
	test-packages test-devices test-boot test-system clean

help: ## print the targets
	@echo 'Archipelago: targets'
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

check-go:
	@GO="$(GO)" sh test/setup/go.sh

build: check-go ## build every command into bin/
	$(GO) build $(GOFLAGS_BUILD) -o $(BIN)/ ./cmd/...

generate: check-go ## make generated files anew (needs a C compiler)
	$(GO) generate ./...

generated: generate ## fail if a generated file is not what its source says
	git diff --exit-code -- '*zlayout_linux.go'

lint: check-go ## gofmt, go vet, staticcheck, shellcheck, import law
	@sh test/setup/packages.sh shellcheck gcc libc6-dev linux-libc-dev
	@out=$$(gofmt -l .); if [ -n "$$out" ]; then echo "gofmt would change:"; echo "$$out"; exit 1; fi
	$(GO) vet ./...
	$(GO) tool staticcheck ./...
	$(GO) test -count=1 ./internal/lint/
	cd packaging && $(GO) vet ./... && $$(cd .. && $(GO) tool -n staticcheck) ./... && $(GO) test -count=1 ./...
	@if command -v shellcheck >/dev/null; then shellcheck $(SCRIPTS); \
	else echo 'SKIP shellcheck: not installed'; fi

demo: build ## the main job on a temporary node: import, snapshot, 100 clones, proof
	$(GO) run ./test/demo -bin $(BIN)

# One goroutine that tries millions of states: the race detector would add nothing but time.
EXPLORERS = '/test/model\|/test/powercut'

# -count=1: what a test asks of programs that it starts isn't seen by the cache of results.
test: build ## unit, race, conformance, models, short crash and kill runs, foreign NBD clients
	@sh test/setup/packages.sh gcc libc6-dev linux-libc-dev libnbd-bin python3-libnbd qemu-utils fio e2fsprogs \
		util-linux fuse3 dbus-daemon prometheus mandoc man-db groff zsh fish
	$(GO) run ./test/gotest -- -race -count=1 -timeout 15m $$($(GO) list ./... | grep -v $(EXPLORERS)) \
		-- -timeout 15m $$($(GO) list ./... | grep $(EXPLORERS)) \
		-- -count=1 -run Alloc ./internal/volume ./peers/... # -race allocates

SOAK = ./...
test-soak: build ## the long form of the same tests; hours (SOAK=./test/transport: minutes)
	ARCHIPELAGO_SOAK=1 $(GO) run ./test/gotest -- -count=1 -timeout 12h $(SOAK)

bench: build ## transport, maps, and volumes beside qemu-nbd and nbdkit, into docs/benchmarks.md
	@sh test/setup/packages.sh gcc libc6-dev linux-libc-dev fio qemu-utils nbdkit
	$(GO) run ./test/bench transport -bin $(BIN)
	$(GO) run ./test/bench maps
	$(GO) run ./test/bench volumes -bin $(BIN)

docs: ## build the HTML manual into docs/_build; warnings are errors
	@sh test/setup/packages.sh python3-sphinx python3-myst-parser
	@if command -v sphinx-build >/dev/null; then sphinx-build -q -W -b html docs docs/_build/html \
	&& echo 'docs/_build/html/index.html'; else echo 'SKIP docs: sphinx-build is not installed'; fi

deb: check-go ## Debian packages into build/deb, reproducible, judged by lintian
	@sh test/setup/packages.sh lintian python3-sphinx python3-myst-parser
	GO="$(GO)" sh packaging/deb.sh build/deb

apt-repo: ## put build/deb into a signed repository for apt: make apt-repo DIR=/srv/apt
	@sh test/setup/packages.sh apt-utils gnupg
	@test -n '$(DIR)' || { echo 'make apt-repo DIR=...: the directory of the repository' >&2; exit 2; }
	sh packaging/apt-repo.sh '$(DIR)' build/deb

test-packages: check-go ## packages in systemd containers, as root (PROFILE=full: longer loads)
	@sh test/setup/packages.sh mmdebstrap systemd-container apt-utils gnupg lintian \
		python3-sphinx python3-myst-parser
	GO="$(GO)" PROFILE="$(PROFILE)" bash test/packages/run.sh

VM_PACKAGES = qemu-system-x86 qemu-utils mmdebstrap kmod cpio xz-utils busybox-static e2fsprogs fuse3
test-devices: build ## the kernel's NBD client in a virtual machine; files and loop devices
	@sh test/setup/packages.sh $(VM_PACKAGES)
	ARCHIPELAGO_VM=1 $(GO) run ./test/gotest -- -count=1 -timeout 30m ./test/device

test-boot: build ## a Debian system boots from a clone, over NBD and as a file, while peers are killed
	@sh test/setup/packages.sh $(VM_PACKAGES)
	ARCHIPELAGO_VM=1 $(GO) run ./test/gotest -- -count=1 -timeout 30m ./test/system

test-system: test-packages test-devices test-boot ## everything that runs on real systems: the three above

clean: ## remove what was built
	rm -rf $(BIN) build docs/_build
