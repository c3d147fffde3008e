#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""gst_publish.py - publishes a file of H264 and Opus in Matroska with GStreamer's webrtcbin over WHIP, in its own time and as it is: nothing is encoded again.

    /usr/bin/python3 gst_publish.py URL FILE [SECONDS]
    ip netns exec NAME /usr/bin/python3 gst_publish.py http://10.77.7.1:8080/whip/demo clip.mkv 12

With SETS=offer in the environment the parameter sets stand in the offer alone, as many hardware encoders have it.
PROFILE in the environment (64001e, say) is named in the offer, as FFmpeg does; webrtcbin names none.
Ends at the file's end or after SECONDS, with a line of JSON. libnice does not pair loopback addresses: URL must be reached by another one. make_clip.py makes such a file."""
import json
import os
import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstSdp", "1.0")
gi.require_version("GstWebRTC", "1.0")
from gi.repository import GLib, Gst, GstSdp, GstWebRTC  # noqa: E402

import http_sdp  # noqa: E402

IN_OFFER = os.environ.get("SETS") == "offer"
FORM = "h264parse ! video/x-h264,stream-format=avc,alignment=au" if IN_OFFER else "h264parse config-interval=-1 ! video/x-h264,stream-format=byte-stream,alignment=au"
PIPE = f"""webrtcbin name=rtc bundle-policy=max-bundle
filesrc name=file ! matroskademux name=demux
demux.video_0 ! queue ! {FORM} ! clocksync sync-to-first=true
  ! rtph264pay pt=96 aggregate-mode=zero-latency config-interval={0 if IN_OFFER else -1} ! application/x-rtp,media=video,encoding-name=H264,payload=96,clock-rate=90000 ! rtc.
demux.audio_0 ! queue ! opusparse ! clocksync sync-to-first=true
  ! rtpopuspay pt=111 ! application/x-rtp,media=audio,encoding-name=OPUS,payload=111,clock-rate=48000,encoding-params=(string)2 ! rtc."""


class Publisher:
    def __init__(self, url, path, seconds="600"):
        self.url, self.seconds = url, float(seconds)
        self.states, self.end, self.resource = [], "time", None
        self.loop = GLib.MainLoop()
        self.pipe = Gst.parse_launch(PIPE)
        self.pipe.get_by_name("file").set_property("location", path)
        self.rtc = self.pipe.get_by_name("rtc")
        bus = self.pipe.get_bus()
        bus.add_signal_watch()
        bus.connect("message::error", lambda _, message: self.stop(str(message.parse_error())))
        for pad in self.rtc.sinkpads:
            pad.add_probe(Gst.PadProbeType.EVENT_DOWNSTREAM, self.on_event)
        self.rtc.connect("notify::connection-state", lambda rtc, _: self.states.append(rtc.get_property("connection-state").value_nick))
        self.rtc.connect("on-negotiation-needed", self.on_needed)

    def on_event(self, _pad, info):
        # webrtcbin tells nobody on the bus. What it still holds gets a moment.
        if info.get_event().type == Gst.EventType.EOS:
            GLib.timeout_add(300, self.stop, "end of file")
        return Gst.PadProbeReturn.OK

    def stop(self, why):
        self.end = why
        self.loop.quit()

    def on_needed(self, rtc):
        for i in (0, 1):
            rtc.emit("get-transceiver", i).set_property("direction", GstWebRTC.WebRTCRTPTransceiverDirection.SENDONLY)
        rtc.emit("create-offer", None, Gst.Promise.new_with_change_func(self.on_offer))

    def on_offer(self, promise, *_):
        reply = promise.get_reply()  # owns the offer
        offer = reply.get_value("offer")
        self.rtc.emit("set-local-description", offer, Gst.Promise.new())
        # The request must not hold up webrtcbin's own thread.
        text = offer.sdp.as_text()
        if profile := os.environ.get("PROFILE"):
            text = text.replace("a=fmtp:96 ", f"a=fmtp:96 profile-level-id={profile};")
        GLib.idle_add(self.negotiate, text)

    def negotiate(self, offer):
        text, self.resource = http_sdp.post(self.url, offer)
        _, sdp = GstSdp.SDPMessage.new_from_text(text)
        self.rtc.emit("set-remote-description", GstWebRTC.WebRTCSessionDescription.new(GstWebRTC.WebRTCSDPType.ANSWER, sdp), Gst.Promise.new())
        GLib.timeout_add(int(self.seconds * 1000), self.loop.quit)

    def run(self):
        self.pipe.set_state(Gst.State.PLAYING)
        self.loop.run()
        deleted = http_sdp.delete(self.resource) if self.resource else 0
        self.pipe.set_state(Gst.State.NULL)
        print(json.dumps({"states": self.states, "end": self.end, "deleted": deleted}), flush=True)


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    Gst.init(None)
    Publisher(*sys.argv[1:]).run()
