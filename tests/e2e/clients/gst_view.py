#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""gst_view.py - plays a stream with GStreamer's webrtcbin over WHEP, decodes it, and says as JSON on its last line what it saw.

    /usr/bin/python3 gst_view.py URL [CODEC] [SECONDS] [FRAMES]
    ip netns exec NAME /usr/bin/python3 gst_view.py http://10.77.7.1:8080/whep/demo H264 30 90

CODEC is VP8, VP9 or H264: GStreamer 1.22 has no AV1 depayloader. libnice does not pair loopback addresses: URL must be reached by another one. Ends when it has seen FRAMES, at the latest SECONDS after the answer."""
import sys
import time

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstApp", "1.0")
gi.require_version("GstSdp", "1.0")
gi.require_version("GstWebRTC", "1.0")
from gi.repository import GLib, Gst, GstApp, GstSdp, GstWebRTC  # noqa: E402,F401

import numpy  # noqa: E402

import http_sdp  # noqa: E402
from marker import Seen  # noqa: E402

CAPS = {
    "VP8": "encoding-name=VP8,payload=96",
    "VP9": "encoding-name=VP9,payload=98",
    "H264": "encoding-name=H264,payload=102,packetization-mode=(string)1,profile-level-id=(string)42e01f",
}
FEEDBACK = ",rtcp-fb-nack=true,rtcp-fb-nack-pli=true,rtcp-fb-ccm-fir=true,rtcp-fb-transport-cc=true"
SINKS = {
    "video": "videoconvert ! video/x-raw,format=I420 ! appsink name=sink emit-signals=true sync=false max-buffers=4",
    "audio": "audioconvert ! audioresample ! audio/x-raw,format=S16LE,channels=1 ! appsink name=sink emit-signals=true sync=false max-buffers=50",
}


class Viewer:
    def __init__(self, url, codec="H264", seconds="8", frames="inf"):
        self.url, self.codec, self.seconds, self.frames = url, codec, float(seconds), float(frames)
        self.seen, self.states, self.fault, self.resource = Seen(), [], None, None
        self.loop = GLib.MainLoop()
        self.pipe = Gst.Pipeline.new()
        self.rtc = Gst.ElementFactory.make("webrtcbin")
        self.rtc.set_property("bundle-policy", GstWebRTC.WebRTCBundlePolicy.MAX_BUNDLE)
        self.pipe.add(self.rtc)
        bus = self.pipe.get_bus()
        bus.add_signal_watch()
        bus.connect("message::error", self.on_error)
        self.rtc.connect("pad-added", self.on_pad)
        self.rtc.connect("notify::connection-state", lambda rtc, _: self.states.append(rtc.get_property("connection-state").value_nick))

    def on_error(self, _bus, message):
        self.fault = str(message.parse_error())
        self.loop.quit()

    def on_pad(self, _rtc, pad):
        if pad.direction != Gst.PadDirection.SRC:
            return
        decode = Gst.ElementFactory.make("decodebin")
        decode.connect("pad-added", self.on_decoded)
        self.pipe.add(decode)
        decode.sync_state_with_parent()
        pad.link(decode.get_static_pad("sink"))

    def on_decoded(self, _decode, pad):
        kind = pad.get_current_caps().to_string().split("/")[0]
        sink = Gst.parse_bin_from_description(f"queue ! {SINKS[kind]}", True)
        sink.get_by_name("sink").connect("new-sample", self.on_sample, kind)
        self.pipe.add(sink)
        sink.sync_state_with_parent()
        pad.link(sink.get_static_pad("sink"))

    def on_sample(self, sink, kind):
        sample = sink.emit("pull-sample")
        data = sample.get_buffer().extract_dup(0, sample.get_buffer().get_size())
        if kind == "audio":
            self.seen.sound(numpy.frombuffer(data, numpy.int16))
            return Gst.FlowReturn.OK
        caps = sample.get_caps().get_structure(0)
        width, height = caps.get_value("width"), caps.get_value("height")
        stride = (width + 3) & ~3
        self.seen.picture(numpy.frombuffer(data, numpy.uint8)[:stride * height].reshape(height, stride)[:, :width])
        if self.seen.frames >= self.frames:
            self.loop.quit()
        return Gst.FlowReturn.OK

    def on_offer(self, promise, *_):
        reply = promise.get_reply()  # owns the offer
        offer = reply.get_value("offer")
        self.rtc.emit("set-local-description", offer, Gst.Promise.new())
        # The request must not hold up webrtcbin's own thread.
        GLib.idle_add(self.negotiate, offer.sdp.as_text())

    def negotiate(self, offer):
        text, self.resource = http_sdp.post(self.url, offer)
        self.seen.begun = time.monotonic()
        _, sdp = GstSdp.SDPMessage.new_from_text(text)
        self.rtc.emit("set-remote-description", GstWebRTC.WebRTCSessionDescription.new(GstWebRTC.WebRTCSDPType.ANSWER, sdp), Gst.Promise.new())
        GLib.timeout_add(int(self.seconds * 1000), self.loop.quit)

    def run(self):
        self.pipe.set_state(Gst.State.READY)
        for kind, caps in (("audio", "encoding-name=OPUS,payload=111,clock-rate=48000,encoding-params=(string)2"), ("video", CAPS[self.codec] + ",clock-rate=90000" + FEEDBACK)):
            self.rtc.emit("add-transceiver", GstWebRTC.WebRTCRTPTransceiverDirection.RECVONLY, Gst.Caps.from_string(f"application/x-rtp,media={kind},{caps}"))
        self.pipe.set_state(Gst.State.PLAYING)
        self.rtc.emit("create-offer", None, Gst.Promise.new_with_change_func(self.on_offer))
        self.loop.run()
        deleted = http_sdp.delete(self.resource) if self.resource else 0
        self.pipe.set_state(Gst.State.NULL)
        self.seen.report(states=self.states, codec=f"video/{self.codec}", deleted=deleted, fault=self.fault)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    Gst.init(None)
    Viewer(*sys.argv[1:]).run()
