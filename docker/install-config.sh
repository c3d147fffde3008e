#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# install-config.sh - installs the example as the first settings file, and leaves one that is there.
# usage: install-config.sh EXAMPLE FOLDER
set -eu
folder="${DESTDIR-}$2"
[ -e "$folder/sluice.json" ] && exit 0
mkdir -p "$folder"
cp "$1" "$folder/sluice.json"
chmod 644 "$folder/sluice.json"
