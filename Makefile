# Run `make help` for the list of targets. CI runs .ci/run, which calls these.

GO          ?= go
STATICCHECK  = honnef.co/go/tools/cmd/staticcheck@v0.8.2
BENCH       ?= .
BENCHTIME   ?= 1s
FUZZTIME    ?= 5s

# The CUDA toolkit is the one of the nvcc that is found first: on the PATH, in CUDA_HOME, or where scripts/install-cuda.sh puts it. CUDA=no leaves the
# CUDA device out.
CUDA ?= auto
nvcc :=
ifeq ($(shell uname -s)$(filter no,$(CUDA)),Linux)
nvcc := $(firstword $(realpath $(shell command -v nvcc)) $(wildcard $(addsuffix /bin/nvcc,$(CUDA_HOME) $(CURDIR)/.tools/cuda /usr/local/cuda)))
endif
toolkit := $(patsubst %/bin/nvcc,%,$(nvcc))
# The first folder adapts CUDA 13's header. The stub of the driver is for the linker alone: the program finds the driver when it runs.
stubs := $(firstword $(wildcard $(addprefix $(toolkit)/,stubs lib64/stubs lib/stubs lib/x86_64-linux-gnu/stubs lib/aarch64-linux-gnu/stubs)))
with_cuda := CGO_CFLAGS='-O2 -g -I$(CURDIR)/gpu/internal/driver/include -I$(toolkit)/include' CGO_LDFLAGS='-O2 -g $(addprefix -L,$(stubs))'

# The packages that are not the same with the tag.
cuda_packages := ./gpu/... ./kernels ./cmd/cnnctl ./zoo

.DEFAULT_GOAL := build

## build: compile bin/cnnctl, with the CUDA device if nvcc is found; ARCHS='80 90' chooses the architectures, CUDA=no leaves it out
.PHONY: build
ifeq ($(nvcc),)
build:
	@echo "building for the CPU alone$(if $(filter no,$(CUDA)),,: no nvcc on the PATH, in CUDA_HOME or in .tools/cuda (scripts/install-cuda.sh gets one))"
	$(GO) build -o bin/ ./cmd/cnnctl
else
build: kernels
	$(with_cuda) $(GO) build -tags cuda -o bin/ ./cmd/cnnctl

## kernels: compile the CUDA kernels
.PHONY: kernels
kernels:
	$(MAKE) -C kernels -j$(shell getconf _NPROCESSORS_ONLN) NVCC=$(nvcc) fatbins
endif

## test: run all tests
.PHONY: test
test:
	$(GO) test ./...

## test-cuda: run the tests of the CUDA device, on the emulated driver or the one that CNNCTL_CUDA_DRIVER names (libcuda.so.1: a GPU)
.PHONY: test-cuda
test-cuda: need-toolkit
	$(with_cuda) $(GO) test -tags cuda ./gpu/... ./kernels
	$(with_cuda) $(GO) test -tags cuda -run CUDA ./cmd/cnnctl ./zoo

## test-arm64: run the tests of the CPU device with its NEON kernels, in qemu (Debian: gcc-aarch64-linux-gnu and qemu-user)
.PHONY: test-arm64
test-arm64:
	CGO_ENABLED=1 GOARCH=arm64 CC=aarch64-linux-gnu-gcc $(GO) test -short -exec 'qemu-aarch64 -L /usr/aarch64-linux-gnu' ./cpu/kernel ./cpu

# What the GPU's machine needs, in the places where the tests look for it: the tests' programs stand in the folders of their packages. All of them embed the
# same kernels, which a compressor sees if it looks back far enough.
bundle := dist/gpu-bundle
bundled_tests := gpu zoo cmd/cnnctl

## gpu-bundle: build dist/gpu-bundle.tar.xz, with which scripts/gpu-check.sh tests and measures on a machine that has a GPU and nothing else
.PHONY: gpu-bundle
gpu-bundle: gpu-bundle-folder
	tar -C dist -c gpu-bundle | xz -9 >$(bundle).tar.xz
	@ls -l $(bundle).tar.xz

.PHONY: gpu-bundle-folder
gpu-bundle-folder: need-toolkit build
	rm -rf $(bundle)
	mkdir -p $(bundle)/bin $(bundle)/scripts $(bundle)/kernels $(addprefix $(bundle)/,$(bundled_tests))
	cp bin/cnnctl $(bundle)/bin
	cp scripts/gpu-check.sh scripts/gpu-torch.py scripts/gpu-report.py $(bundle)/scripts
	cp kernels/*.cu kernels/*.cuh $(bundle)/kernels && cp -r kernels/bin $(bundle)/kernels
	cp -r zoo/testdata $(bundle)/zoo
	for p in $(bundled_tests); do \
		$(with_cuda) $(GO) test -c -tags cuda -ldflags '-s -w' -o $(bundle)/$$p/$$(basename $$p).test ./$$p || exit 1; done
	{ git log -1 --format='commit %h of %cs' || echo 'commit unknown'; $(nvcc) --version | sed -n '$$p'; } >$(bundle)/COMMIT 2>/dev/null

## gpu-rehearsal: do what scripts/gpu-check.sh does on a GPU, on the smallest sizes, on the emulated driver
.PHONY: gpu-rehearsal
gpu-rehearsal: gpu-bundle-folder
	$(MAKE) -C kernels emu
	$(bundle)/scripts/gpu-check.sh --driver .tools/emu/libcuda-emu.so

.PHONY: need-toolkit
need-toolkit:
	@[ -n '$(nvcc)' ] || { echo "no nvcc on the PATH, in CUDA_HOME or in .tools/cuda; run scripts/install-cuda.sh" >&2; exit 1; }

## bench: run the benchmarks; BENCH=regexp chooses, BENCHTIME=1s says how long each takes
.PHONY: bench
bench:
	$(GO) test -run '^$$' -bench '$(BENCH)' -benchtime $(BENCHTIME) -benchmem ./...

## lint: gofmt, go vet and staticcheck; also with the tag cuda if nvcc is found
.PHONY: lint
lint:
	@unformatted=$$(gofmt -s -l .); if [ -n "$$unformatted" ]; then \
		echo "gofmt: run gofmt -s -w on:"; echo "$$unformatted"; exit 1; fi
	$(GO) vet ./...
	$(GO) run $(STATICCHECK) ./...
ifneq ($(nvcc),)
	$(with_cuda) $(GO) vet -tags cuda $(cuda_packages)
	$(with_cuda) $(GO) run $(STATICCHECK) -tags cuda $(cuda_packages)
endif

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
	rm -rf bin dist
	$(MAKE) -C kernels clean

## help: show this list
.PHONY: help
help:
	@sed -n 's/^## /  /p' $(firstword $(MAKEFILE_LIST))
