#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# run.sh - the end-to-end tests against a server that was built.
#
#   tests/e2e/run.sh [SERVER] [quick|long]     SERVER: path of the program, build/sluice if none is named
#
# The last line is the sum: "N passed, N failed, N skipped".
set -uo pipefail
size=quick
[ "${TESTS_LONG-}" ] && size=long
for word in "$@"; do
    case "$word" in
    quick | long) size=$word ;;
    *) export SLUICE=$(realpath "$word") ;;
    esac
done
cd "$(dirname "$0")" || exit 1

# What a folder's package.json names, where it is not there in these very versions. Read as files: packages may not export theirs.
install() { # folder
    (cd "$1" && { node -e '
        const { readFileSync } = require("fs"), read = (file) => JSON.parse(readFileSync(file, "utf8"));
        for (const [name, version] of Object.entries(read("package.json").dependencies))
            if (read(`node_modules/${name}/package.json`).version !== version) process.exit(1)' 2>/dev/null ||
        npm ci --no-audit --no-fund; })
}
install . || exit 1

files=(quick.test.mjs data.test.mjs rooms.test.mjs meet.test.mjs sealed.test.mjs resilience.test.mjs)
if [ "$size" = long ]; then
    export TESTS_LONG=1
    files+=(crowd.test.mjs fifty.test.mjs outsiders.test.mjs comfort.test.mjs comeback.test.mjs moderator.test.mjs a11y.test.mjs matrix.test.mjs webclients.test.mjs prefix.test.mjs quality.test.mjs)
    install webclients || exit 1
fi
log=$(mktemp) once=$(mktemp)
trap 'rm -f "$log" "$once"' EXIT
status=0 unsteady=()
for file in "${files[@]}"; do # one after the other: they measure delays
    if node --test "$file" >"$once"; then
        tee -a "$log" <"$once"
        continue
    fi
    # Browsers against the clock, and a machine that may have stood still: a second run decides, and is named.
    sed 's/^/first run: /' "$once"
    unsteady+=("$file")
    node --test "$file" | tee -a "$log"
    [ "${PIPESTATUS[0]}" -eq 0 ] || status=1
done
[ "${#unsteady[@]}" -eq 0 ] || echo "run twice: ${unsteady[*]}"
awk '/^(#|ℹ) (pass|fail|cancelled|skipped) / { n[$2] += $3 }
    END { printf "%d passed, %d failed, %d skipped\n", n["pass"], n["fail"] + n["cancelled"], n["skipped"] }' "$log"
exit "$status"
