#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""fanout.py - one publisher (VP8 1.5 Mbps, Opus) to 1, 100, 500 and 1,000 viewers: starts the server once per row, runs sluice-load several times, and prints the
medians as the table of the README. Everything is on one machine: the generator takes its share of it, and says so when it was overloaded.

usage: fanout.py BUILD_FOLDER [--viewers 1,100,500] [--runs 3] [--seconds 10] [--json FILE] [--server-args ...]
"""
import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Server:
    def __init__(self, build, extra):
        self.http, self.admin = free_port(), free_port()
        settings = {
            "http.listen": f"127.0.0.1:{self.http}",
            "admin.listen": f"127.0.0.1:{self.admin}",
            "media.listen": f"[::]:{free_port()}",
            "media.announce": "127.0.0.1",
            "http.posts_per_ip_per_s": 100000,
            "http.max_connections": 8192,
            "http.max_connections_per_ip": 8192,
        }
        args = [os.path.join(build, "sluice")]
        for key, value in settings.items():
            args += ["--set", f"{key}={value}"]
        self.process = subprocess.Popen(args + extra, stdout=subprocess.DEVNULL)
        for _ in range(100):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{self.admin}/livez", timeout=1)
                return
            except OSError:
                time.sleep(0.05)
        sys.exit("the server did not start")

    def stop(self):
        self.process.send_signal(2)
        self.process.wait(20)


def run_once(build, viewers, seconds, extra):
    server = Server(build, extra)
    with tempfile.NamedTemporaryFile(suffix=".json") as out:
        args = [os.path.join(build, "bench/load/sluice-load"), "--fast", "--bitrate", "1500", "--ramp", "100",
                "--whip", f"http://127.0.0.1:{server.http}/whip/bench", "--whep", f"http://127.0.0.1:{server.http}/whep/bench",
                "--viewers", str(viewers), "--duration", str(seconds), "--pid", str(server.process.pid), "--json", out.name]
        subprocess.run(args, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
        server.stop()
        return json.load(open(out.name))


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("build")
    ap.add_argument("--viewers", default="1,100,500,1000")
    ap.add_argument("--runs", type=int, default=3)
    ap.add_argument("--seconds", type=int, default=10)
    ap.add_argument("--json")
    ap.add_argument("--server-args", nargs=argparse.REMAINDER, default=[])
    opt = ap.parse_args()
    rows = []
    print("| viewers | CPU per forwarded packet | server load | lost | bad content | latency p50 / p99 | join, POST to first packet p50 / p99 | memory per viewer |")
    print("|---|---|---|---|---|---|---|---|")
    for viewers in map(int, opt.viewers.split(",")):
        runs = [run_once(opt.build, viewers, opt.seconds, opt.server_args) for _ in range(opt.runs)]

        def mid(get):
            return statistics.median(get(r) for r in runs)

        us = lambda name, p: mid(lambda r: r[name][p]) / 1000
        load = mid(lambda r: r["server"]["cpu_ns"] / r["seconds"] / 1e7)
        lost = sum(r["packets_lost"] for r in runs)
        expected = sum(r["packets_expected"] for r in runs)
        bad = sum(sum(r["faults"].values()) for r in runs)
        print(f"| {viewers} | {mid(lambda r: r['server']['cpu_ns_per_packet']) / 1000:.2f} µs | {load:.0f} % of a core | {lost} of {expected} | {bad} "
              f"| {us('latency', 'p50_ns') / 1000:.2f} / {us('latency', 'p99_ns') / 1000:.1f} ms "
              f"| {us('join_first_packet', 'p50_ns') / 1000:.1f} / {us('join_first_packet', 'p99_ns') / 1000:.0f} ms "
              f"| {mid(lambda r: r['server']['bytes_per_viewer']) / 1000:.0f} kB |", flush=True)
        rows.append({"viewers": viewers, "runs": runs})
    if opt.json:
        json.dump(rows, open(opt.json, "w"), indent=1)


if __name__ == "__main__":
    main()
