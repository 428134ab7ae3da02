# Run `make help` for the list of targets. CI runs .ci/run, which calls these.

GO          ?= go
STATICCHECK  = honnef.co/go/tools/cmd/staticcheck@v0.8.2
BENCH       ?= .
BENCHTIME   ?= 1s
FUZZTIME    ?= 5s

.DEFAULT_GOAL := build

## build: compile bin/cnnctl
.PHONY: build
build:
	$(GO) build -o bin/ ./cmd/cnnctl

## test: run all tests
.PHONY: test
test:
	$(GO) test ./...

## bench: run the benchmarks; BENCH=regexp chooses, BENCHTIME=1s says how long each takes
.PHONY: bench
bench:
	$(GO) test -run '^$$' -bench '$(BENCH)' -benchtime $(BENCHTIME) -benchmem ./...

## lint: gofmt, go vet and staticcheck
.PHONY: lint
lint:
	@unformatted=$$(gofmt -s -l .); if [ -n "$$unformatted" ]; then \
		echo "gofmt: run gofmt -s -w on:"; echo "$$unformatted"; exit 1; fi
	$(GO) vet ./...
	$(GO) run $(STATICCHECK) ./...

## check-imports: check that the imports point one way
.PHONY: check-imports
check-imports:
	$(GO) test -count=1 -v .

## cross: compile for other platforms
.PHONY: cross
cross:
	@set -e; for platform in linux/arm64 darwin/arm64 windows/amd64; do \
		echo "$(GO) build for $$platform"; \
		CGO_ENABLED=0 GOOS=$${platform%/*} GOARCH=$${platform#*/} $(GO) build ./...; done

## smoke: run bin/cnnctl as a person would, and check what it does
.PHONY: smoke
smoke: build
	scripts/smoke.sh

## fuzz: run every fuzz target for FUZZTIME=5s
.PHONY: fuzz
fuzz:
	GO='$(GO)' scripts/fuzz.sh $(FUZZTIME)

## clean: remove what make has built
.PHONY: clean
clean:
	rm -rf bin

## help: show this list
.PHONY: help
help:
	@sed -n 's/^## /  /p' $(firstword $(MAKEFILE_LIST))
