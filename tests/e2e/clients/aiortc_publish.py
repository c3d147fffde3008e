#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""aiortc_publish.py - paints the counter and plays a tone of 1 kHz, encodes them with aiortc and publishes them over WHIP; says as JSON on its last line how it went.

    /usr/bin/python3 aiortc_publish.py URL [CODEC] [SECONDS]
    /usr/bin/python3 aiortc_publish.py http://127.0.0.1:8080/whip/demo VP8 20

CODEC is VP8 or H264: aiortc has no other."""
import asyncio
import fractions
import json
import sys

import av
import numpy
from aiortc import MediaStreamTrack, RTCPeerConnection, RTCRtpSender, RTCSessionDescription

import http_sdp
from marker import now_ms, paint

WIDTH, HEIGHT, FPS = 640, 360, 20
RATE, SAMPLES = 48000, 960  # 20 ms


class Paced(MediaStreamTrack):
    """A track whose n-th frame is made when its time has come."""

    def __init__(self, per_second):
        super().__init__()
        self.per_second, self.count, self.begun = per_second, 0, None

    async def recv(self):
        now = asyncio.get_running_loop().time()
        self.begun = self.begun or now
        await asyncio.sleep(max(0, self.begun + self.count / self.per_second - now))
        self.count += 1
        return self.make(self.count - 1)


class Counter(Paced):
    kind = "video"

    def make(self, n):
        luma = numpy.full((HEIGHT, WIDTH), 90, numpy.uint8)
        x = n * 4 % (WIDTH - 100)
        luma[150:250, x:x + 100] = 200
        paint(luma, n + 1, now_ms())
        frame = av.VideoFrame.from_ndarray(numpy.vstack([luma, numpy.full((HEIGHT // 2, WIDTH), 128, numpy.uint8)]), "yuv420p")
        frame.pts, frame.time_base = n * 90000 // FPS, fractions.Fraction(1, 90000)
        return frame


class Tone(Paced):
    kind = "audio"

    def make(self, n):
        time = (n * SAMPLES + numpy.arange(SAMPLES)) / RATE
        samples = (8000 * numpy.sin(2 * numpy.pi * 1000 * time)).astype(numpy.int16)
        frame = av.AudioFrame.from_ndarray(samples[None, :], "s16", "mono")
        frame.sample_rate, frame.pts, frame.time_base = RATE, n * SAMPLES, fractions.Fraction(1, RATE)
        return frame


async def main(url, codec="VP8", seconds="10"):
    pc, states = RTCPeerConnection(), []
    pc.on("connectionstatechange", lambda: states.append(pc.connectionState))
    pc.addTransceiver(Tone(RATE / SAMPLES), direction="sendonly")
    video = pc.addTransceiver(Counter(FPS), direction="sendonly")
    every = RTCRtpSender.getCapabilities("video").codecs
    first = [c for c in every if c.mimeType.lower() == f"video/{codec.lower()}"]
    video.setCodecPreferences(first + [c for c in every if c.mimeType == "video/rtx"])
    await pc.setLocalDescription(await pc.createOffer())
    answer, resource = await asyncio.to_thread(http_sdp.post, url, pc.localDescription.sdp)
    await pc.setRemoteDescription(RTCSessionDescription(answer, "answer"))
    await asyncio.sleep(float(seconds))
    status = await asyncio.to_thread(http_sdp.delete, resource)
    await pc.close()
    print(json.dumps({"states": states, "deleted": status}), flush=True)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    asyncio.run(main(*sys.argv[1:]))
