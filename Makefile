# SPDX-License-Identifier: Apache-2.0
# Short names for what meson and the scripts do.
BUILD = build
PREFIX = /usr/local
# Flags for the server: make run ARGS="--set media.announce=192.0.2.1"
ARGS =

.PHONY: all run test test-long test-clients check fmt lint tidy asan fuzz bench install hooks clean

all: $(BUILD)/build.ninja
	ninja -C $(BUILD) sluice

$(BUILD)/build.ninja:
	.ci/deps build
	meson setup $(BUILD) --buildtype=release -Db_lto=true -Dprefix=$(PREFIX) -Dtests=false -Dbench=false

# Serves http://127.0.0.1:8080/ with the built-in settings, and says so.
run: all
	$(BUILD)/sluice --log-format text $(ARGS)

# All that guards a change: at most 15 minutes on two cores.
test:
	tests/run.sh

# The rest: fuzzing, many seeds, many browsers, the image.
test-long:
	tests/run.sh --long

# Clients of a newer distribution (FFmpeg with WHIP, GStreamer, aiortc, Pion): 3 minutes and 2 GB, once.
test-clients:
	tests/run.sh --only clients

# The inner loop: format, lint, build, unit tests, fuzz corpus.
check:
	tests/run.sh --quick

fmt:
	tests/run.sh --fmt

lint:
	python3 tests/lint/check.py --scorecard

tidy:
	tests/run.sh --only tidy

asan:
	tests/run.sh --only asan

fuzz:
	tests/run.sh --only libfuzzer

bench:
	tests/run.sh --only bench

install: all
	meson install -C $(BUILD) --no-rebuild

# Lets git check format, lint and subject before a commit.
hooks:
	git config core.hooksPath .githooks

clean:
	rm -rf build build-*
