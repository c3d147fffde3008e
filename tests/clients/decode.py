#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""decode.py - decodes a recorded file and says as JSON what the painted counter told; nothing of its times, which are not in the file.

    /usr/bin/python3 decode.py FILE"""
import os
import subprocess
import sys

import numpy

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../e2e/clients"))
from marker import Seen  # noqa: E402

WIDTH, HEIGHT = 640, 360


def main(path):
    seen = Seen()
    ffmpeg = subprocess.Popen(["ffmpeg", "-loglevel", "error", "-i", path, "-vf", f"scale={WIDTH}:{HEIGHT}", "-pix_fmt", "gray", "-f", "rawvideo", "-"], stdout=subprocess.PIPE)
    while len(picture := ffmpeg.stdout.read(WIDTH * HEIGHT)) == WIDTH * HEIGHT:
        seen.picture(numpy.frombuffer(picture, numpy.uint8).reshape(HEIGHT, WIDTH))
    seen.report(status=ffmpeg.wait())


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
