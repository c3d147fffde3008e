#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# build-image.sh - builds the image from docker/Dockerfile without a registry or a daemon, starts
# its server as the image's user on a read-only root, and asks it for /livez. Needs root, buildah
# and debootstrap; Debian's packages come by the apt sources of this machine.
set -euo pipefail
cd "$(dirname "$0")/.."
work=$PWD/build-image
server=''
container=''

skip() {
    echo "skipped: $1"
    echo "0 passed, 0 failed, 1 skipped"
    exit 0
}

[ "$(id -u)" -eq 0 ] || skip "needs root"
if ! command -v buildah >/dev/null || ! command -v debootstrap >/dev/null; then
    apt-get update -q && apt-get install -y -q --no-install-recommends buildah debootstrap
fi
unshare --mount true 2>/dev/null || skip "mount namespaces are denied"

# Storage of its own, under build-image/, so that nothing of the machine's images is touched. vfs
# works on every file system; chroot isolation needs no runtime and no cgroups.
export BUILDAH_ISOLATION=chroot STORAGE_DRIVER=vfs
buildah() {
    command buildah --root "$work/storage" --runroot "$work/run" "$@"
}

cleanup() {
    [ -z "$server" ] || kill "$server" 2>/dev/null || true
    [ -z "$container" ] || buildah rm "$container" >/dev/null || true
}
trap cleanup EXIT

mkdir -p "$work"
if [ ! -e "$work/base.done" ]; then
    rm -rf "$work/base"
    debootstrap --variant=minbase --include=ca-certificates bookworm "$work/base" ${DEBIAN_MIRROR:+"$DEBIAN_MIRROR"} \
        >"$work/debootstrap.log" 2>&1 || { tail "$work/debootstrap.log"; exit 1; }
    # The packages come from where this machine gets its own.
    for list in /etc/apt/sources.list.d/debian.sources /etc/apt/apt.conf.d/*proxy*; do
        [ -e "$list" ] && cp "$list" "$work/base$list"
    done
    [ ! -e "$work/base/etc/apt/sources.list.d/debian.sources" ] || rm -f "$work/base/etc/apt/sources.list"
    touch "$work/base.done"
fi
# The names that the Dockerfile begins with, here made of the bootstrapped base.
if ! buildah images debian:bookworm-slim >/dev/null 2>&1; then
    container=$(buildah from scratch)
    buildah add --quiet "$container" "$work/base" / >/dev/null
    buildah commit --quiet "$container" debian:bookworm-slim >/dev/null
    buildah tag debian:bookworm-slim debian:bookworm
    buildah rm "$container" >/dev/null
    container=''
fi
buildah bud --pull-never --network host -f docker/Dockerfile -t sluice .

container=$(buildah from --pull-never sluice)
root=$(buildah mount "$container")
size=$(du -sm "$root" | cut -f1)
user=$(buildah inspect --format '{{.OCIv1.Config.User}}' "$container")
entry=$(buildah inspect --format '{{index .OCIv1.Config.Entrypoint 0}}' "$container")
echo "image: $size MB unpacked, user $user, entry point $entry"
[ "$user" = 65532:65532 ] || { echo "the image runs as $user"; exit 1; }

free_port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# Nothing of the image is writable, and the server has no capability.
run_in_image() {
    # shellcheck disable=SC2016
    exec unshare --mount sh -c '
        root=$1; shift
        mount --bind "$root" "$root" && mount -o remount,bind,ro "$root" || exit 70
        mount -t proc proc "$root/proc" 2>/dev/null || true
        exec chroot --userspec=65532:65532 --groups= "$root" "$@"' sh "$root" "$@"
}

http=$(free_port) admin=$(free_port) media=$(free_port)
(run_in_image "$entry" --version)
(run_in_image "$entry" --config /etc/sluice/sluice.json --check-config)
run_in_image "$entry" --set "http.listen=127.0.0.1:$http" --set "admin.listen=127.0.0.1:$admin" \
    --set "media.listen=127.0.0.1:$media" &
server=$!
curl -sS --fail --retry 50 --retry-delay 1 --retry-connrefused --max-time 60 \
    "http://127.0.0.1:$admin/livez"
echo
curl -sS --fail "http://127.0.0.1:$http/" >/dev/null
uid=$(awk '/^Uid:/ { print $2 }' "/proc/$server/status")
[ "$uid" = 65532 ] || { echo "the server runs as user $uid"; exit 1; }
kill -TERM "$server"
wait "$server" || { echo "the server did not end well after SIGTERM: $?"; exit 1; }
server=''
echo "1 passed, 0 failed"
