#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# run.sh - clients of a newer distribution against a server that was built: make test-clients.
#
#   tests/clients/run.sh SERVER [FOLDER]      FOLDER: where the distribution lies or goes, build-clients/sid if none is named
set -euo pipefail
here=$(dirname "$(realpath "$0")")
SLUICE=$(realpath "${1:?the program of the server}")
CLIENTS_ROOT=$(realpath -m "${2:-$here/../../build-clients/sid}")
export SLUICE CLIENTS_ROOT
"$here/root.sh" "$CLIENTS_ROOT"
cd "$here/../e2e"
[ -e node_modules/.package-lock.json ] || npm ci --no-audit --no-fund
exec node --test "$here/newer.test.mjs"
