#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# run.sh BUILD_FOLDER - the numbers of the README, on this machine, now: about four minutes. Longer with BENCH_SHAPES=all (bench/compare/compare.py --list),
# BENCH_RUNS (3), BENCH_SECONDS (4, of one run's measured part). BENCH_README=README.md writes them there and the charts to bench/charts, BENCH_ARGS goes to compare.py as it is
# (--server NAME=URL). Results are in BUILD_FOLDER/bench.json and BUILD_FOLDER/charts/*.svg.
set -euo pipefail
cd "$(dirname "$0")/.."
build="${1:-build-release}"
charts="$build/charts"
[ -z "${BENCH_README:-}" ] || charts=bench/charts
# shellcheck disable=SC2086
exec python3 bench/compare/compare.py "$build" --shapes "${BENCH_SHAPES:-small}" --runs "${BENCH_RUNS:-3}" --seconds "${BENCH_SECONDS:-4}" \
    --json "$build/bench.json" --svg "$charts" ${BENCH_README:+--readme "$BENCH_README"} ${BENCH_ARGS:-}
