#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# root.sh - makes a folder with Debian unstable in it, for the clients that this distribution does not have: FFmpeg with -f whip, a
# newer GStreamer and aiortc, Meetecho's simple-whip-client, Pion. Some 3 minutes and 2 GB, once; needs root and debootstrap.
#
#   tests/clients/root.sh FOLDER
set -euo pipefail
root=${1:?a folder}
here=$(dirname "$(realpath "$0")")
packages=(ffmpeg simple-whip-client python3-aiortc python3-gi python3-numpy
    gir1.2-gstreamer-1.0 gir1.2-gst-plugins-base-1.0 gir1.2-gst-plugins-bad-1.0
    gstreamer1.0-tools gstreamer1.0-nice gstreamer1.0-plugins-base gstreamer1.0-plugins-good
    gstreamer1.0-plugins-bad gstreamer1.0-plugins-ugly gstreamer1.0-libav
    golang-go golang-github-pion-webrtc-v4-dev)

# What is inside wants /proc: Go to find itself, packages to set themselves up.
inside() {
    mountpoint -q "$root/proc" || mount -t proc proc "$root/proc"
    chroot "$root" env DEBIAN_FRONTEND=noninteractive LC_ALL=C "$@"
}

trap 'umount "$root/proc" 2>/dev/null || true' EXIT

# The last line that is written, so that a run that was cut begins anew.
if [ ! -e "$root/.complete" ]; then
    command -v debootstrap >/dev/null || {
        apt-get update -q
        apt-get install -y -q --no-install-recommends debootstrap
    }
    umount "$root/proc" 2>/dev/null || true # of a run that was killed
    rm -rf --one-file-system "$root"
    mkdir -p "$root"
    debootstrap --variant=minbase --keyring=/usr/share/keyrings/debian-archive-keyring.gpg sid "$root" \
        ${DEBIAN_MIRROR:+"$DEBIAN_MIRROR"}
    # Unstable's index may count as old; nothing may start a service in there.
    cat >"$root/etc/apt/apt.conf.d/99sluice" <<-'END'
	Acquire::Check-Valid-Until "false";
	APT::Install-Recommends "false";
	APT::Sandbox::User "root";
	END
    printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
    chmod +x "$root/usr/sbin/policy-rc.d"
    inside apt-get update -q
    inside apt-get install -y -q "${packages[@]}"
    inside apt-get clean
    touch "$root/.complete"
fi

# What changes with the tests.
mkdir -p "$root/clients"
cp "$here"/../e2e/clients/*.py "$root/clients/"
if [ ! -x "$root/clients/pion" ] || ! cmp -s "$here/pion/main.go" "$root/clients/main.go"; then
    cp "$here/pion/main.go" "$root/clients/"
    inside env GO111MODULE=off GOPATH=/usr/share/gocode HOME=/root go build -o /clients/pion /clients/main.go || {
        rm "$root/clients/main.go"
        exit 1
    }
fi
