#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# run.sh BUILD_FOLDER [SEEDS] - the table of picture quality (20 seeds if not said: some two minutes, in virtual time) into README.md, and curves of one run of some scenarios into
# bench/charts. The build folder is one with tests. QUALITY_TABLE=FILE takes a table that quality has printed before.
set -euo pipefail
cd "$(dirname "$0")/../.."
quality="$1/bench/quality/quality"
table="${QUALITY_TABLE:-$1/quality.md}"
[ -n "${QUALITY_TABLE:-}" ] || "$quality" --seeds "${2:-20}" --json "$1/quality.json" > "$table"
python3 bench/quality/readme.py "$table" README.md
while read -r id name title; do
    "$quality" --trace "$1/$name.json" --seed 1 "$id" > /dev/null
    python3 bench/quality/curves.py "$1/$name.json" "bench/charts/$name.svg" "$title"
done <<EOF
1 quality-ramp 1.0, 2.5, 0.6, 1.0 Mbps, VP8 simulcast
2 quality-drop 2.5, 0.6, 2.5 Mbps, VP8 simulcast
9b quality-loss 5 % loss on 2 Mbps
11 quality-jitter Jitter of 30 ms, 1 % reordered by 5
EOF
