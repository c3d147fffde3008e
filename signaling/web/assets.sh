#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# assets.sh OUTPUT FILE... - writes the list of embedded files that web.c includes.
set -eu
out=$1
shift
i=0
for file in "$@"; do
    printf 'ASSET(%d, "%s", "%s")\n' "$i" "$(basename "$file")" "$(realpath "$file")"
    i=$((i + 1))
done >"$out"
