#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# run.sh BUILD_FOLDER - the table of the README's "Numbers", on this machine, now.
set -euo pipefail
cd "$(dirname "$0")/.."
exec python3 bench/fanout.py "${1:-build-release}"
