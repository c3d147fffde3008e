# SPDX-License-Identifier: Apache-2.0
"""marker.py - the painted counter of ../marker.js for viewers and clips in Python, and what a viewer has seen.

Row 1 holds 20 bits of frame number and 12 bits of its hash, row 2 the low 32 bits of the milliseconds; 32 cells a row, each row 24 lines of 360, white is 1."""
import itertools
import json
import math
import time

import numpy

CELLS = 32
SOURCE = 100_000  # publishers of one viewer count from different multiples of it
ROW_OF_HEIGHT = 24 / 360


def hash_of(number):
    return (number * 0x9E3779B1 & 0xFFFFFFFF) >> 20


def now_ms():
    return int(time.time() * 1000) & 0xFFFFFFFF


def read(luma):
    """Number, clock and whether the hash holds, from a picture's luma: an array of lines."""
    height, width = luma.shape
    columns = ((numpy.arange(CELLS) + 0.5) * width / CELLS).astype(int)
    rows = []
    for row in (0, 1):
        bits = luma[int((row + 0.5) * height * ROW_OF_HEIGHT), columns] > 125
        rows.append(int("".join("1" if b else "0" for b in bits), 2))
    number = rows[0] >> 12
    return number, rows[1], (rows[0] & 4095) == hash_of(number)


def paint(luma, number, clock):
    """Draws the rows into luma: an array of lines."""
    height, width = luma.shape
    row_height = round(height * ROW_OF_HEIGHT)
    for row, bits in enumerate(((number & 0xFFFFF) << 12 | hash_of(number & 0xFFFFF), clock)):
        cells = numpy.array([235 if bits >> (CELLS - 1 - i) & 1 else 16 for i in range(CELLS)], numpy.uint8)
        luma[row * row_height:(row + 1) * row_height] = numpy.repeat(cells, width // CELLS)


class Seen:
    """Counts what a viewer saw and heard; report() gives it in the words of watchedSoFar() in marker.js."""

    def __init__(self):
        self.begun = time.monotonic()
        self.frames, self.ids, self.delays, self.times = 0, [], [], []
        self.width = self.height = 0
        self.audio_frames, self.audio_energy = 0, 0.0

    def picture(self, luma):
        number, clock, good = read(luma)
        self.frames += 1
        if not good:
            return
        self.height, self.width = luma.shape
        self.ids.append(number)
        self.times.append((time.monotonic() - self.begun) * 1000)
        delay = (now_ms() - clock) & 0xFFFFFFFF
        self.delays.append(delay - (1 << 32) if delay >> 31 else delay)

    def sound(self, samples):
        """samples: 16 bit integers."""
        self.audio_frames += 1
        if len(samples):
            self.audio_energy += float(numpy.square(samples.astype(numpy.float64) / 32768).mean())

    def report(self, **more):
        gaps = [b - a for a, b in zip(self.times, self.times[1:])]
        back = sum(b < a for a, b in zip(self.ids, self.ids[1:]))
        sources = [key for key, _ in itertools.groupby(number // SOURCE for number in self.ids)]
        delays = sorted(self.delays)
        print(json.dumps({
            "frames": self.frames, "good": len(self.ids), "back": back, "sources": sources, "longestGap": round(max(gaps, default=0)), "firstAt": round(self.times[0]) if self.times else -1,
            "firstId": self.ids[0] if self.ids else 0, "lastId": self.ids[-1] if self.ids else 0, "delayP50": delays[len(delays) // 2] if delays else -1,
            "width": self.width, "height": self.height, "audioFrames": self.audio_frames,
            "audioLevel": round(math.sqrt(self.audio_energy / self.audio_frames), 4) if self.audio_frames else 0, **more}), flush=True)
