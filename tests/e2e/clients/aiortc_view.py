#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""aiortc_view.py - plays a stream with aiortc over WHEP, decodes it, and says as JSON on its last line what it saw.

    /usr/bin/python3 aiortc_view.py URL [CODEC] [SECONDS] [FRAMES]
    /usr/bin/python3 aiortc_view.py http://127.0.0.1:8080/whep/demo VP8 30 90

CODEC is VP8 or H264: aiortc has no other. Ends when it has seen FRAMES, at the latest SECONDS after the answer."""
import asyncio
import logging
import sys
import time

import numpy
from aiortc import RTCPeerConnection, RTCRtpReceiver, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError

import http_sdp
from marker import Seen


def luma(frame):
    plane = frame.planes[0]
    return numpy.frombuffer(plane, numpy.uint8).reshape(-1, plane.line_size)[:frame.height, :frame.width]


async def consume(track, seen):
    while True:
        try:
            frame = await track.recv()
        except MediaStreamError:
            return
        if track.kind == "video":
            seen.picture(luma(frame))
        else:
            seen.sound(frame.to_ndarray())


async def main(url, codec="VP8", seconds="8", frames="inf"):
    seen, tasks = Seen(), []
    troubles = []  # what decoders and jitter buffers complain of
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: troubles.append(record.getMessage())
    logging.getLogger("aiortc").addHandler(handler)
    pc = RTCPeerConnection()
    states = []
    pc.on("connectionstatechange", lambda: states.append(pc.connectionState))
    pc.on("track", lambda track: tasks.append(asyncio.ensure_future(consume(track, seen))))
    pc.addTransceiver("audio", direction="recvonly")
    video = pc.addTransceiver("video", direction="recvonly")
    every = RTCRtpReceiver.getCapabilities("video").codecs
    first = [c for c in every if c.mimeType.lower() == f"video/{codec.lower()}"]
    video.setCodecPreferences(first + [c for c in every if c.mimeType == "video/rtx"])
    await pc.setLocalDescription(await pc.createOffer())
    answer, resource = await asyncio.to_thread(http_sdp.post, url, pc.localDescription.sdp)
    seen.begun = time.monotonic()
    await pc.setRemoteDescription(RTCSessionDescription(answer, "answer"))
    while time.monotonic() - seen.begun < float(seconds) and seen.frames < float(frames):
        await asyncio.sleep(0.05)
    status = await asyncio.to_thread(http_sdp.delete, resource)
    await pc.close()
    await asyncio.gather(*tasks)
    seen.report(states=states, codec=f"video/{codec}", deleted=status, troubles=troubles)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    asyncio.run(main(*sys.argv[1:]))
