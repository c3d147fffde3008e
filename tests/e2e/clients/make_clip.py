#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""make_clip.py - makes an encoded file with the painted counter in it: H264 and Opus in Matroska, a keyframe every so many.

    /usr/bin/python3 make_clip.py FILE [SECONDS [SECONDS_BETWEEN_KEYFRAMES [PROFILE]]]"""
import subprocess
import sys

import numpy

from marker import paint

WIDTH, HEIGHT, FPS = 640, 360, 30


def main(path, seconds="12", interval="2", profile="baseline"):
    ffmpeg = subprocess.Popen(
        ["ffmpeg", "-y", "-loglevel", "error", "-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", f"{WIDTH}x{HEIGHT}", "-r", str(FPS), "-i", "-",
         "-f", "lavfi", "-i", "sine=frequency=1000:sample_rate=48000", "-t", seconds, "-c:v", "libx264", "-profile:v", profile, "-preset", "veryfast", "-tune", "zerolatency",
         "-bf", "0", "-g", str(int(interval) * FPS), "-sc_threshold", "0", "-b:v", "1M", "-c:a", "libopus", "-b:a", "64k", "-ac", "2", path], stdin=subprocess.PIPE)
    luma = numpy.full((HEIGHT, WIDTH), 90, numpy.uint8)
    chroma = numpy.full((HEIGHT // 2, WIDTH), 128, numpy.uint8).tobytes()
    for number in range(1, int(float(seconds) * FPS) + 1):
        luma[60:] = 90
        x = (number * 4) % (WIDTH - 100)
        luma[150:250, x:x + 100] = 200
        paint(luma, number, number * 1000 // FPS)
        ffmpeg.stdin.write(luma.tobytes() + chroma)
    ffmpeg.stdin.close()
    return ffmpeg.wait()


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
