# The front door. `make` alone lists what there is; CMakePresets.json and tools/ do the work.
.DEFAULT_GOAL := help
.PHONY: help setup build wasm demo test test-long style sanitize fuzz bench bench-peers coverage install clean

PREFIX ?= /usr/local
FUZZ_SECONDS ?= 600
preset = cmake --preset $(1) >/dev/null && cmake --build --preset $(1)

help: ## This list
	@sed -n 's/^\([a-z-]*\):.*## /\1 /p' Makefile | while read -r name text; do printf '  make %-12s %s\n' "$$name" "$$text"; done

setup: ## Install what building and testing need (Debian, Ubuntu; root or sudo)
	@tools/setup.sh test

build: ## The optimised library and command line tool in build/release
	@tools/setup.sh demo
	@$(call preset,release)

wasm: ## The engine in WebAssembly in build/wasm and the npm package in web/build
	@tools/setup.sh wasm
	@cmake -S web/engine -B build/wasm -G Ninja >/dev/null && cmake --build build/wasm
	@cd web && npm ci --no-audit --no-fund --silent && npm run --silent build

demo: build ## Build, fetch a small real model, answer a prompt
	@tools/demo.sh

test: ## Build and run every test that fits in a few minutes
	@tools/setup.sh test
	@$(call preset,release)
	@SMIDGEN_MODELS="$$(tools/models.sh smollm2-135m gemma3-270m qwen-0.5b)" && export SMIDGEN_MODELS && tools/run_tests

test-long: ## Every test, the large model and ThreadSanitizer included
	@tools/setup.sh dev
	@$(call preset,release)
	@SMIDGEN_MODELS="$$(tools/models.sh smollm2-135m gemma3-270m qwen-0.5b qwen-1.5b)" && export SMIDGEN_MODELS && tools/run_tests --long

style: ## The rules of CONTRIBUTING.md that a script can check
	@python3 tools/style
	@python3 tests/style/run.py

sanitize: ## The test suite under ASan + UBSan and under TSan
	@tools/setup.sh dev
	@tools/run_tests 'build asan' 'unit asan' 'fuzz corpus' 'build tsan' 'unit tsan'

fuzz: ## Every fuzzer for FUZZ_SECONDS (600) each
	@tools/setup.sh dev
	@$(call preset,fuzz)
	@tools/fuzz --seconds $(FUZZ_SECONDS) build/fuzz

bench: build ## Measure load, prefill, decode and memory on this machine (BENCH="--threads 1,2 ...")
	@python3 bench/run.py $(BENCH)

bench-peers: build ## The same beside llama.cpp, interleaved (BENCH="--pairs 5 ...")
	@python3 bench/peers/run.py $(BENCH)

coverage: ## Lines and branches that the tests execute
	@tools/setup.sh dev
	@$(call preset,coverage)
	@find build/coverage -name '*.gcda' -delete
	@build/coverage/smidgen_tests
	@gcovr --root . --filter 'src/' --filter 'cli/' --print-summary --html-details build/coverage/report.html build/coverage

install: build ## Library, headers, tool, CMake package and pkg-config file into PREFIX (/usr/local)
	@cmake --install build/release --prefix $(PREFIX)

clean: ## Remove build/ (third-party sources in .deps and fetched models stay)
	@rm -rf build
