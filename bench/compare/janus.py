#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""janus.py - WHIP and WHEP in front of Janus's videoroom plugin, as far as sluice-load needs them.

A publisher's offer goes to Janus as it is. A viewer is harder: Janus wants to be the one who offers, and so does a WHEP client. Both offers are taken, and
each side is given an answer made of the other's transport (ICE credentials, fingerprint, candidates) and of what both have in common; the client becomes the
DTLS client, and Janus runs as ICE-lite, so that two offerers do not quarrel about who controls.

usage: janus.py --listen PORT --janus PORT     (Janus's HTTP interface; start_janus() runs one)
"""
import argparse
import http.client
import http.server
import json
import os
import re
import secrets
import socket
import subprocess
import sys
import tempfile
import threading
import time

PLUGINS = "/usr/lib/x86_64-linux-gnu/janus/plugins"
TRANSPORTS = "/usr/lib/x86_64-linux-gnu/janus/transports"
ROOM = 1


class Janus:
    """One session with one handle."""

    def __init__(self, port):
        self.http = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        self.session = self.ask("", {"janus": "create"})["data"]["id"]
        path = f"/{self.session}"
        self.handle = self.ask(path, {"janus": "attach", "plugin": "janus.plugin.videoroom"})["data"]["id"]

    def ask(self, path, body):
        body = dict(body, transaction=secrets.token_hex(6))
        self.http.request("POST", "/janus" + path, json.dumps(body), {"Content-Type": "application/json"})
        answer = json.loads(self.http.getresponse().read())
        if answer["janus"] == "error":
            raise RuntimeError(answer["error"]["reason"])
        return answer

    def message(self, body, jsep=None):
        """What the plugin says at once, or None if it answers by an event."""
        m = {"janus": "message", "body": body}
        if jsep:
            m["jsep"] = jsep
        answer = self.ask(f"/{self.session}/{self.handle}", m)
        return answer.get("plugindata", {}).get("data")

    def event(self):
        """The next event of the plugin: its data and description."""
        while True:
            self.http.request("GET", f"/janus/{self.session}?maxev=1")
            e = json.loads(self.http.getresponse().read())
            for one in e if isinstance(e, list) else [e]:
                if one["janus"] == "event":
                    data = one["plugindata"]["data"]
                    if "error" in data:
                        raise RuntimeError(data["error"])
                    return data, one.get("jsep")

    def destroy(self):
        self.ask(f"/{self.session}", {"janus": "destroy"})
        self.http.close()


# ---- descriptions ----

class Media:
    def __init__(self, lines):
        self.lines = lines
        words = lines[0][2:].split()
        self.kind, self.pts = words[0], words[3:]

    def all(self, name):
        start = f"a={name}:"
        return [line[len(start):] for line in self.lines if line.startswith(start)]

    def one(self, name, default=""):
        return (self.all(name) or [default])[0]


class Sdp:
    def __init__(self, text):
        parts = re.split(r"(?m)^(?=m=)", text.replace("\r\n", "\n"))
        self.head = Media(["m=session 0 - -"] + parts[0].strip().split("\n"))
        self.media = [Media(p.strip().split("\n")) for p in parts[1:]]

    def transport(self, name):
        for m in [self.head] + self.media:
            if m.one(name):
                return m.one(name)
        return ""

    def candidates(self):
        return [c for m in self.media for c in m.all("candidate")]


def common(a, b, name):
    theirs = set(b.all(name))
    return [v for v in a.all(name) if v in theirs]


def answer(offer, other, setup, direction):
    """The answer to offer on behalf of whoever made the offer other."""
    out = ["v=0", f"o=- {secrets.randbits(62)} 1 IN IP4 127.0.0.1", "s=-", "t=0 0",
           "a=group:BUNDLE " + " ".join(m.one("mid") for m in offer.media)]
    if direction == "sendonly":
        out.append("a=ice-lite")
    fingerprint = other.transport("fingerprint")
    for i, m in enumerate(offer.media):
        n = next(o for o in other.media if o.kind == m.kind)
        maps = common(m, n, "rtpmap")
        pts = [v.split()[0] for v in maps]
        out += [f"m={m.kind} 9 UDP/TLS/RTP/SAVPF {' '.join(pts)}", "c=IN IP4 0.0.0.0",
                f"a=ice-ufrag:{other.transport('ice-ufrag')}", f"a=ice-pwd:{other.transport('ice-pwd')}",
                f"a=fingerprint:{fingerprint}", f"a=setup:{setup}", f"a=mid:{m.one('mid')}", "a=rtcp-mux", f"a={direction}"]
        if "a=rtcp-rsize" in m.lines and "a=rtcp-rsize" in n.lines:
            out.append("a=rtcp-rsize")
        out += [f"a=rtpmap:{v}" for v in maps]
        out += [f"a=fmtp:{v}" for v in m.all("fmtp") if v.split()[0] in pts and "apt=" in v]
        out += [f"a=rtcp-fb:{v}" for v in common(m, n, "rtcp-fb") if v.split()[0] in pts]
        out += [f"a=extmap:{v}" for v in common(m, n, "extmap")]
        if direction == "sendonly":
            out += [line for line in n.lines if line.startswith(("a=ssrc", "a=msid:"))]
        if i == 0:
            out += [f"a=candidate:{c}" for c in other.candidates()] + ["a=end-of-candidates"]
    return "\r\n".join(out) + "\r\n"


def top_first(offer):
    """The same offer with its layers in falling order, as Janus takes them to be; sluice-load names them q, h, f."""
    lines = offer.replace("\r\n", "\n").split("\n")
    rids = [i for i, line in enumerate(lines) if line.startswith("a=rid:")]
    for i, line in zip(rids, [lines[i] for i in reversed(rids)]):
        lines[i] = line
    for i, line in enumerate(lines):
        if line.startswith("a=simulcast:send "):
            lines[i] = "a=simulcast:send " + ";".join(reversed(line.split(" ", 1)[1].split(";")))
    return "\r\n".join(lines)


# ---- WHIP and WHEP ----

class State:
    def __init__(self, port):
        self.port = port
        self.lock = threading.Lock()
        self.publisher = {}  # name -> feed
        self.sessions = {}

    def publish(self, name, offer):
        offer = top_first(offer)
        j = Janus(self.port)
        try:
            j.message({"request": "create", "room": ROOM, "publishers": 1000, "bitrate": 0, "videocodec": "vp8,vp9,h264",
                       "transport_wide_cc_ext": True})
        except RuntimeError:
            pass
        feed = secrets.randbits(40)
        j.message({"request": "joinandconfigure", "room": ROOM, "ptype": "publisher", "id": feed}, {"type": "offer", "sdp": offer})
        while True:
            _, jsep = j.event()
            if jsep:
                break
        with self.lock:
            self.publisher[name] = feed
        offered = set(offer.replace("\r\n", "\n").split("\n"))
        kept = [line for line in jsep["sdp"].replace("\r\n", "\n").strip().split("\n")
                if not line.startswith("a=rtcp-fb:") or line in offered]  # Janus names goog-remb unasked
        return self.keep(j), "\r\n".join(kept) + "\r\n"

    def play(self, name, offer):
        j = Janus(self.port)
        # A subscriber's feed is there as soon as the publisher's PeerConnection is.
        for tries in range(50):
            try:
                j.message({"request": "join", "room": ROOM, "ptype": "subscriber", "streams": [{"feed": self.publisher[name]}]})
                _, jsep = j.event()
                break
            except (KeyError, RuntimeError):
                if tries == 49:
                    raise
                time.sleep(0.1)
        mine, theirs = Sdp(offer), Sdp(jsep["sdp"])
        j.message({"request": "start"}, {"type": "answer", "sdp": answer(theirs, mine, "active", "recvonly")})
        j.event()
        return self.keep(j), answer(mine, theirs, "passive", "sendonly")

    def keep(self, j):
        key = secrets.token_urlsafe(12)
        with self.lock:
            self.sessions[key] = j
        return key

    def end(self, key):
        with self.lock:
            j = self.sessions.pop(key, None)
        if j:
            j.destroy()
        return j is not None


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    state = None

    def log_message(self, *_):
        pass

    def reply(self, status, body="", headers=()):
        data = body.encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def do_POST(self):
        offer = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        kind, _, name = self.path.strip("/").partition("/")
        try:
            key, text = (self.state.publish if kind == "whip" else self.state.play)(name, offer)
        except (RuntimeError, OSError, KeyError, StopIteration) as e:
            self.reply(500, str(e))
            return
        self.reply(201, text, [("Content-Type", "application/sdp"), ("Location", f"/session/{key}")])

    def do_DELETE(self):
        self.reply(200 if self.state.end(self.path.rpartition("/")[2]) else 404)

    def do_PATCH(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.reply(204)


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 1024
    daemon_threads = True


def address():
    """An address of this machine that is not loopback, which Janus does not gather; packets to it go over loopback all the same."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.connect(("192.0.2.1", 9))
        return s.getsockname()[0]


def start_janus(port, prefix=()):
    """Runs Janus with its HTTP interface on port. Returns the process and its folder of settings."""
    folder = tempfile.TemporaryDirectory(prefix="janus-")
    texts = {
        "janus.jcfg": f'''general: {{ configs_folder = "{folder.name}" plugins_folder = "{PLUGINS}" transports_folder = "{TRANSPORTS}"
                log_to_stdout = true debug_level = 2 session_timeout = 0 no_webrtc_encryption = false }}
            media: {{ ipv6 = false rtp_port_range = "20000-60000" }}
            nat: {{ ice_lite = true ice_tcp = false full_trickle = false ice_enforce_list = "{address()}" }}
            plugins: {{ disable = "libjanus_audiobridge.so,libjanus_duktape.so,libjanus_echotest.so,libjanus_lua.so,libjanus_nosip.so,libjanus_recordplay.so,'''
                      '''libjanus_sip.so,libjanus_streaming.so,libjanus_textroom.so,libjanus_videocall.so,libjanus_voicemail.so" }
            transports: { disable = "libjanus_mqtt.so,libjanus_nanomsg.so,libjanus_pfunix.so,libjanus_rabbitmq.so,libjanus_websockets.so" }''',
        "janus.transport.http.jcfg": f'general: {{ json = "compact" base_path = "/janus" http = true port = {port} ip = "127.0.0.1" https = false }}\n'
                                     'admin: { admin_http = false }',
        "janus.plugin.videoroom.jcfg": "general: { }",
    }
    for name, text in texts.items():
        with open(os.path.join(folder.name, name), "w") as f:
            f.write(text)
    process = subprocess.Popen([*prefix, "janus", "-F", folder.name, "-o"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for _ in range(100):
        try:
            c = http.client.HTTPConnection("127.0.0.1", port, timeout=1)
            c.request("GET", "/janus/info")
            info = json.loads(c.getresponse().read())
            return process, folder, info["version_string"]
        except (OSError, http.client.HTTPException):
            time.sleep(0.1)
    process.kill()
    sys.exit("Janus did not start")


def serve(port, janus_port):
    Handler.state = State(janus_port)
    server = Server(("127.0.0.1", port), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--listen", type=int, required=True)
    ap.add_argument("--janus", type=int, required=True)
    opt = ap.parse_args()
    process, folder, version = start_janus(opt.janus)
    serve(opt.listen, opt.janus)
    print(f"Janus {version}, WHIP and WHEP on http://127.0.0.1:{opt.listen}/", flush=True)
    try:
        process.wait()
    finally:
        process.terminate()
        folder.cleanup()


if __name__ == "__main__":
    main()
