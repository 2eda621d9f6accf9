# SPDX-License-Identifier: Apache-2.0
#
# A thin front of meson and ninja: `make demo` and `make test` are all a newcomer needs.
# `make help` lists the targets. Variables: BUILD, JOBS, PREFIX, DESTDIR, TARE_TEST_WORKERS.

BUILD   ?= build
JOBS    ?= $(shell nproc)
PREFIX  ?= /usr/local
MESON   ?= meson
NINJA   ?= ninja
# Debian's own python: pytest and meson are packages there.
PYTHON  ?= $(firstword $(wildcard /usr/bin/python3) python3)
FUZZ_SECONDS ?= 60
SOAK_ROUNDS  ?= 500

export JOBS BUILD

.DEFAULT_GOAL := build
.PHONY: help build demo test unit e2e docker-cases test-vm sanitize fuzz soak bench install fmt lint clean deps-build deps-test deps-bench

help: ## this list
	@sed -n 's/^\([a-z0-9-]*\):.*## /  \1 \t/p' $(firstword $(MAKEFILE_LIST)) | expand -t 18

deps-build deps-test deps-bench: deps-%:
	@tools/deps.sh $*

$(BUILD)/build.ninja:
	@$(MESON) setup --prefix=$(PREFIX) $(BUILD) >$(BUILD).setup.log 2>&1 || { cat $(BUILD).setup.log; exit 1; }
	@mv $(BUILD).setup.log $(BUILD)/setup.log

build: $(BUILD)/build.ninja ## the program at build/tare, usable in place
	@$(NINJA) -C $(BUILD) -j $(JOBS)

demo: deps-build ## install what is needed, build, and show what it does
	@$(MAKE) --no-print-directory build
	@tools/demo.sh $(BUILD)/tare

test: deps-test ## install what is needed, build, run every test and lint
	@$(PYTHON) tools/test-all.py

unit: build ## unit tests only
	@$(MESON) test -C $(BUILD) --print-errorlogs

e2e: build ## end-to-end tests only (root)
	@TARE=$(abspath $(BUILD))/tare $(PYTHON) -m pytest -q -n $(or $(TARE_TEST_WORKERS),4) tests/e2e

docker-cases: build ## what docker answered, asked again
	@$(PYTHON) tests/docker/check.py --tare $(abspath $(BUILD))/tare

test-vm: build ## cgroup v2 and Debian's own kernel, under emulation
	@tests/vm/all.sh $(BUILD)

build-san/build.ninja:
	@$(MESON) setup -Dstatic=false -Db_sanitize=address,undefined -Db_lundef=false -Dbuildtype=debugoptimized build-san >/dev/null

sanitize: build-san/build.ninja ## unit tests under ASan and UBSan
	@$(NINJA) -C build-san -j $(JOBS)
	@UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 $(MESON) test -C build-san --print-errorlogs

fuzz: ## every fuzz target for FUZZ_SECONDS (60)
	@tools/fuzz.sh $(FUZZ_SECONDS)

soak: build ## every endurance test whole; SOAK_ROUNDS (500) containers in the storm
	@tools/soak.sh $(abspath $(BUILD))/tare $(SOAK_ROUNDS)

bench: deps-bench ## tare against the bare kernel and its peers
	@$(MAKE) --no-print-directory build
	@$(PYTHON) bench/bench.py --build $(BUILD)

install: build ## into $(DESTDIR)$(PREFIX)
	@$(MESON) configure $(BUILD) --prefix=$(PREFIX) && $(NINJA) -C $(BUILD) -j $(JOBS) >/dev/null
	@$(MESON) install -C $(BUILD) --no-rebuild $(if $(DESTDIR),--destdir $(abspath $(DESTDIR)))

fmt: ## lay the C files out
	@find src tests images bench tools -name '*.[ch]' -type f | xargs clang-format -i

lint: $(BUILD)/build.ninja ## source checker, clang-format, clang-tidy, cppcheck, shellcheck
	@$(NINJA) -C $(BUILD) -j $(JOBS)
	@tools/lint.sh $(BUILD)

clean: ## remove what was built (the download cache .cache stays)
	@rm -rf $(BUILD) build-clang build-san build-fuzz
