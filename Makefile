# perilune's front door: `make help` lists what it opens. The build is Meson's
# (meson.build); what is missing on the machine is installed by tools/setup.
#
#   CC=clang     another compiler           -> build-clang/
#   LUA=5.4      Lua 5.4 instead of LuaJIT  -> build-lua54/
#   BUILD=dir    another build folder
#   FUZZ_SECONDS=300, JOBS=4
#   make bench: QUICK=1, WRITE=1 (docs/performance), ONLY=, PEER=, ROUNDS=
#   make bench-abuse: ONLY=, SECONDS=
#   make bench-reload: RELOADS=, RATE=, SAVES=, WRITE=1

ifeq ($(origin CC),default)
CC := gcc
endif
LUA ?= luajit
JOBS ?= $(shell nproc)
FUZZ_SECONDS ?= 60
variant := $(if $(filter 5.4,$(LUA)),-lua54)
variant := $(variant)$(if $(findstring clang,$(CC)),-clang)
BUILD ?= build$(variant)

# The system's own: another python3 first in PATH has no pytest.
python := /usr/bin/python3
check := $(python) tools/check --jobs $(JOBS)

.PHONY: all setup run check quick asan tsan test-faults fuzz bench \
	bench-abuse bench-reload build-bench build-bench-core install clean help

all: setup
	@test -f $(BUILD)/build.ninja || \
		CC=$(CC) meson setup $(BUILD) -Dlua=$(LUA)
	@ninja -C $(BUILD) -j $(JOBS)

setup:
	@tools/setup build plugins unit

run: all
	$(BUILD)/perilune examples/tour -h 127.0.0.1 -p 8080

check:
	@tools/setup build plugins unit check
	@$(check) check

quick:
	@tools/setup build plugins unit check
	@$(check) quick

asan tsan:
	@tools/setup build plugins unit check
	@$(check) $@

test-faults:
	@tools/setup build plugins unit check
	@$(check) faults

fuzz:
	@tools/setup build plugins unit check
	@$(check) fuzz --seconds $(FUZZ_SECONDS)

# A build of its own, so that figures do not depend on what $(BUILD) has been
# configured to; optimised as what is installed.
build-bench:
	@tools/setup build plugins bench
	@test -f $@/build.ninja || CC=$(CC) meson setup $@ \
		-Dlua=$(LUA) -Dtests=false -Db_lto=true
	@ninja -C $@ -j $(JOBS)

build-bench-core:
	@test -f $@/build.ninja || CC=$(CC) meson setup $@ \
		-Dlua=$(LUA) -Dtests=false -Dbench=false \
		-Dfeatures= -Dcrypto=disabled -Db_lto=true
	@ninja -C $@ -j $(JOBS)

bench: build-bench build-bench-core
	@tools/bench-peers
	@PYTHONDONTWRITEBYTECODE=1 $(python) tests/bench/run.py \
		$(if $(QUICK),--quick) $(if $(WRITE),--write) \
		$(addprefix --only ,$(ONLY)) $(addprefix --peer ,$(PEER)) \
		$(if $(ROUNDS),--rounds $(ROUNDS))

# Who waits how long while others attack: the same build, without peers.
bench-abuse: build-bench
	@PYTHONDONTWRITEBYTECODE=1 $(python) tests/bench/abuse/run.py \
		$(addprefix --only ,$(ONLY)) \
		$(if $(SECONDS),--seconds $(SECONDS))

# What reloads cost those who are served meanwhile, beside nginx -s reload.
bench-reload: build-bench
	@PYTHONDONTWRITEBYTECODE=1 $(python) tests/bench/reload/run.py \
		$(if $(RELOADS),--reloads $(RELOADS)) \
		$(if $(RATE),--rate $(RATE)) $(if $(SAVES),--saves $(SAVES)) \
		$(if $(WRITE),--write)

install: all
	meson install -C $(BUILD)

clean:
	rm -rf build build-*

help:
	@echo 'make              install what is missing, then build'
	@echo 'make run          build, serve examples/tour on 127.0.0.1:8080'
	@echo 'make check        all tests and gates: N passed, N failed'
	@echo 'make quick        unit tests and gates only, about a minute'
	@echo 'make asan tsan    the same suites under sanitizers'
	@echo 'make test-faults  every call of the system made to fail'
	@echo 'make fuzz         fuzz each parser for FUZZ_SECONDS'
	@echo 'make bench        beside its peers, 25 minutes; QUICK=1: 5'
	@echo 'make bench-abuse  how long others wait during an attack'
	@echo 'make bench-reload what reloads cost, beside nginx -s reload'
	@echo 'make install      the program, the library, its header'
	@echo 'make clean        remove build/ and build-*/'
	@echo 'Variables: CC=clang LUA=5.4 BUILD=dir JOBS=n'
