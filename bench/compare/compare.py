#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""compare.py - Sluice, Janus (if it is installed) and any other WHIP/WHEP server by URL under the same load, in alternation (A B A B ...), and beside them
bench/floor: what no server can do with less. Prints one table, saves JSON and SVG charts, and writes the README's numbers between its markers.

usage: compare.py BUILD_FOLDER [--shapes small|all|NAME,NAME] [--runs 3] [--seconds 4] [--server NAME=URL[,PID]] [--no-janus] [--json FILE] [--svg FOLDER]
                  [--readme FILE] [--list]

The time of CPU is that of /proc/PID (all threads), divided by the packets that reached viewers; never of a run under perf, whose counters cost time themselves.
Instructions come from one further run under "perf stat", where the machine counts them. Runs in which the server waited for a CPU longer than a third of the time
it had one are starved and left out, if others are left. With two cores or more the server has one and the generator another.
"""
import argparse
import glob
import json
import os
import platform
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import charts  # noqa: E402
import janus  # noqa: E402

BEGIN, END = "<!-- bench: begin -->", "<!-- bench: end -->"
STARVED = 1 / 3
FLOOR_SECONDS = 2
BROADCAST = ["--simulcast", "3", "--bitrate", "600", "--twcc-anyway"]
CONFERENCE = ["--publishers", "10", "--viewers", "90", "--bitrate", "600", "--twcc-anyway"]


class Shape:
    def __init__(self, name, text, args, viewers, sluice=(), rivals=True, cipher="gcm", ramp=100):
        self.name, self.text, self.viewers, self.rivals, self.cipher = name, text, viewers, rivals, cipher
        self.args = args + ([] if "--viewers" in args else ["--viewers", str(viewers)]) + ["--ramp", str(ramp)]
        self.sluice = list(sluice)


EVP = ["--set", "media.seal_backend=openssl"]
SHAPES = [
    Shape("broadcast-400", "1 publisher (three layers, the top one 600 kbps at 30 fps, Opus) to 400", BROADCAST, 400),
    Shape("broadcast-400-1500", "the same at 1.5 Mbps", BROADCAST + ["--bitrate", "1500"], 400),
    Shape("broadcast-400-cm", "the same at 600 kbps, AES-CM-SHA1-80", BROADCAST + ["--profile", "cm"], 400, cipher="cm"),
    Shape("broadcast-400-evp", "600 kbps, AES-GCM by OpenSSL", BROADCAST, 400, sluice=EVP, rivals=False, cipher="evp-gcm"),
    Shape("conference-10", "10 publishers (600 kbps), each to the 9 others", CONFERENCE, 90),
    Shape("broadcast-100", "the same at 600 kbps to 100, which one core of every server carries", BROADCAST, 100),
    Shape("thin-100", "1 publisher (150 kbps at 15 fps, Opus) to 100", ["--bitrate", "150", "--fps", "15"], 100, rivals=False),
    Shape("broadcast-1000", "1 publisher (150 kbps at 15 fps, Opus) to 1,000", ["--bitrate", "150", "--fps", "15"], 1000),
    Shape("broadcast-2000", "1 publisher (150 kbps at 15 fps, Opus) to 2,000", ["--bitrate", "150", "--fps", "15"], 2000, rivals=False),
    Shape("broadcast-5000", "1 publisher (100 kbps at 8 fps, no audio) to 5,000", ["--bitrate", "100", "--fps", "8", "--video-only"], 5000, rivals=False, ramp=150),
    Shape("two-workers", "600 kbps to 400, two workers", BROADCAST, 400, sluice=["--set", "media.workers=2"], rivals=False),
    Shape("storm", "600 kbps to 200 while 200 more join in a second", BROADCAST + ["--storm", "200", "--storm-rate", "200"], 200),
    *[Shape(f"plain-{n}", f"1 publisher (1.5 Mbps at 30 fps, Opus) to {n:,}", ["--bitrate", "1500"], n, rivals=False) for n in (1, 100, 500, 1000)],
]
SMALL = ["broadcast-400", "broadcast-100", "conference-10"]


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(url):
    for _ in range(200):
        try:
            urllib.request.urlopen(url, timeout=1)
            return
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.05)
    sys.exit(f"no answer from {url}")


def pinned(cpu):
    return ["taskset", "-c", str(cpu)] if len(os.sched_getaffinity(0)) > 1 and shutil.which("taskset") else []


# ---- servers ----

class Sluice:
    name = "sluice"

    def __init__(self, build, shape):
        http, admin = free_port(), free_port()
        settings = {"http.listen": f"127.0.0.1:{http}", "admin.listen": f"127.0.0.1:{admin}", "media.listen": f"127.0.0.1:{free_port()}",
                    "media.announce": "127.0.0.1", "media.workers": 1, "http.posts_per_ip_per_s": 100000, "http.max_connections": 8192,
                    "http.max_connections_per_ip": 8192, "limits.max_half_open": 20000}
        args = [os.path.join(build, "sluice")]
        for key, value in settings.items():
            args += ["--set", f"{key}={value}"]
        two = "media.workers=2" in shape.sluice
        self.process = subprocess.Popen(([] if two else pinned(0)) + args + shape.sluice, stdout=subprocess.DEVNULL)
        self.pid, self.url = self.process.pid, f"http://127.0.0.1:{http}"
        wait_for(f"http://127.0.0.1:{admin}/livez")

    def stop(self):
        self.process.send_signal(2)
        self.process.wait(30)


class Janus:
    name = "janus"
    version = ""

    def __init__(self, _build, _shape):
        port, back = free_port(), free_port()
        self.process, self.folder, Janus.version = janus.start_janus(back, pinned(0))
        self.server = janus.serve(port, back)
        self.pid, self.url = self.process.pid, f"http://127.0.0.1:{port}"

    def stop(self):
        self.server.shutdown()
        self.process.kill()
        self.process.wait(30)
        self.folder.cleanup()


def other(spec):
    """A server that runs already: NAME=URL, and its process if its CPU time is to be known."""
    name, _, rest = spec.partition("=")
    url, _, pid = rest.partition(",")

    class Other:
        def __init__(self, _build, _shape):
            self.pid, self.url = int(pid or 0), url

        def stop(self):
            pass

    Other.name = name
    return Other


# ---- one run ----

def waits(pid):
    """Nanoseconds that the process's threads have had a CPU, and waited for one."""
    run = wait = 0
    for path in glob.glob(f"/proc/{pid}/task/*/schedstat"):
        try:
            with open(path) as f:
                a, b, _ = map(int, f.read().split())
            run, wait = run + a, wait + b
        except (OSError, ValueError):
            pass
    return run, wait


def start_load(build, server, shape, seconds, out, extra=()):
    args = pinned(1) + [os.path.join(build, "bench/load/sluice-load"), "--fast", "--gro", "--settle", "2", "--stay", "--duration", str(seconds),
                        "--whip", server.url + "/whip/bench{i}", "--whep", server.url + "/whep/bench{i}", "--json", out] + shape.args
    if server.pid:
        args += ["--pid", str(server.pid)]
    return subprocess.Popen(args + list(extra), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def run_once(build, kind, shape, seconds, trace=None):
    server = kind(build, shape)
    with tempfile.NamedTemporaryFile(suffix=".json") as out:
        before = waits(server.pid)
        start_load(build, server, shape, seconds, out.name, ["--trace", trace] if trace else []).wait()
        after = waits(server.pid)
        server.stop()
        text = out.read()
        r = json.loads(text) if text else None
    if r:
        r["starved"] = (after[1] - before[1]) > STARVED * max(1, after[0] - before[0])
    return r


def count_instructions(build, kind, shape, seconds):
    """Instructions per forwarded packet, all and in user space, or None where the machine does not count."""
    probe = subprocess.run(["perf", "stat", "-x,", "-e", "instructions", "true"], capture_output=True, text=True, check=False) if shutil.which("perf") else None
    if not probe or "not supported" in probe.stderr or probe.returncode:
        return None
    server = kind(build, shape)
    with tempfile.NamedTemporaryFile(suffix=".json") as out:
        load = start_load(build, server, shape, seconds, out.name)
        time.sleep(shape.viewers / float(shape.args[-1]) + 2.5)
        perf = subprocess.run(["perf", "stat", "-x,", "-e", "instructions:u,instructions:k", "-p", str(server.pid), "--", "sleep", str(seconds - 1)],
                              capture_output=True, text=True, check=False)
        load.wait()
        server.stop()
        text = out.read()
    counts = [float(line.split(",")[0]) for line in perf.stderr.splitlines() if re.match(r"\d", line)]
    if not text or len(counts) != 2:
        return None
    r = json.loads(text)
    packets = r["packets_received"] / r["seconds"] * (seconds - 1)
    return {"all": sum(counts) / packets, "user": counts[0] / packets}


def floor(build, shape, trace):
    cipher = {"gcm": "ipsec-mb-gcm", "cm": "ipsec-mb-cm", "evp-gcm": "evp-gcm"}[shape.cipher]
    with tempfile.NamedTemporaryFile(suffix=".json") as out:
        args = [os.path.join(build, "bench/floor/sluice-floor"), "--trace", trace, "--seconds", str(FLOOR_SECONDS), "--send", "gso", "--cipher", cipher,
                "--json", out.name]
        if pinned(0):
            args += ["--cpu", "0", "--sink-cpu", "1"]
        if subprocess.run(args, stdout=subprocess.DEVNULL, check=False).returncode:
            return None
        rows = json.loads(out.read())
    return rows[0] if rows else None


# ---- a row ----

def user_share(r):
    s = r["server"]
    return s["user_ns"] / max(1, s["user_ns"] + s["system_ns"])


def summary(kind, shape, runs, instructions):
    good = [r for r in runs if not r["starved"]] or runs

    def mid(get):
        return statistics.median(get(r) for r in good)

    row = {
        "server": kind.name, "runs": len(runs), "starved": sum(r["starved"] for r in runs), "instructions": instructions,
        "joined": min(r["joins_ok"] for r in runs), "viewers": shape.viewers,
        "lost": sum(r["packets_lost"] for r in good), "expected": sum(r["packets_expected"] for r in good),
        "latency_ms": [mid(lambda r, p=p: r["latency"][p]) / 1e6 for p in ("p50_ns", "p99_ns", "p999_ns")],
        "join_ms": [mid(lambda r, p=p: r["join_first_packet"][p]) / 1e6 for p in ("p50_ns", "p99_ns")],
        "generator": mid(lambda r: r["generator_cpu"]),
    }
    if any(r["latency_storm"]["n"] for r in good):
        row["storm_ms"] = [mid(lambda r, p=p: r["latency_storm"][p]) / 1e6 for p in ("p50_ns", "p99_ns", "p999_ns")]
    if all("server" in r for r in good):
        cpu = mid(lambda r: r["server"]["cpu_ns_per_packet"])
        bits = mid(lambda r: r["bytes_received"] * 8 / max(1, r["packets_received"]))
        row.update(cpu_ns=cpu, kpps=1e6 / cpu, mbps=1e3 / cpu * bits, user_share=mid(user_share),
                   memory=mid(lambda r: r["server"]["bytes_per_viewer"]), load=mid(lambda r: r["server"]["cpu_ns"] / r["seconds"] / 1e9))
    return row


def measure(build, kinds, shape, opt):
    runs = {k.name: [] for k in kinds}
    floors = []
    with tempfile.NamedTemporaryFile(suffix=".trace") as trace:
        for _ in range(opt.runs):
            for k in kinds:
                r = run_once(build, k, shape, opt.seconds, trace.name if k is Sluice else None)
                if r:
                    runs[k.name].append(r)
            f = floor(build, shape, trace.name)
            if f:
                floors.append(f)
    rows = [summary(k, shape, runs[k.name], count_instructions(build, k, shape, opt.seconds)) for k in kinds if runs[k.name]]
    if floors:
        best = {key: statistics.median(f[key] for f in floors) for key in ("cpu_ns", "instructions", "user_instructions", "segments")}
        counted = {"all": best["instructions"], "user": best["user_instructions"]} if best["instructions"] >= 0 else None
        rows.append({"server": "floor", "cpu_ns": best["cpu_ns"], "kpps": 1e6 / best["cpu_ns"], "instructions": counted, "segments": best["segments"]})
    return rows


def pair(values, digits=1):
    return " / ".join(f"{v:.{digits}f}" for v in values) if values else ""


def cells(row, base):
    i = row.get("instructions")
    cpu = row.get("cpu_ns")
    return [row["server"], f"{cpu:.0f}" if cpu else "", f"{cpu / base:.2f}" if cpu and base else "", f"{i['all']:.0f} ({i['user']:.0f})" if i else "",
            f"{row['kpps']:.0f}" if cpu else "", f"{row['mbps']:.0f}" if row.get("mbps") else "", pair(row.get("latency_ms")), pair(row.get("storm_ms")),
            pair(row.get("join_ms"), 0), f"{row['memory'] / 1000:.0f}" if row.get("memory") else "",
            f"{row['lost']} of {row['expected']}" if "lost" in row else "", f"{row['joined']} of {row['viewers']}" if "joined" in row else ""]


HEAD = ["server", "CPU ns a packet", "× Sluice", "instructions (user)", "kpps a core", "Mbps a core", "latency p50 / p99 / p99.9 ms", "the same in a storm of joins",
        "join p50 / p99 ms", "kB a viewer", "lost", "joined"]


def table(shape, rows):
    base = next((r.get("cpu_ns") for r in rows if r["server"] == "sluice"), None)
    lines = [cells(r, base) for r in rows]
    used = [k for k in range(len(HEAD)) if any(line[k] for line in lines)]
    out = [f"**{shape.text}**", "", "| " + " | ".join(HEAD[k] for k in used) + " |", "|" + "---|" * len(used)]
    return out + ["| " + " | ".join(line[k] for k in used) + " |" for line in lines] + [""]


# ---- what the numbers are worth ----

def cpu_model():
    with open("/proc/cpuinfo") as f:
        names = re.findall(r"model name\s*:\s*(.*)", f.read())
    return names[0] if names else platform.machine()


def machine(build, kinds):
    version = subprocess.run([os.path.join(build, "sluice"), "--version"], capture_output=True, text=True, check=False).stdout.strip()
    names = [version] + ([f"Janus {Janus.version} (videoroom, ICE-lite, three layers taken, no estimation)"] if Janus in kinds else [])
    return (f"{', '.join(names)}; {os.cpu_count()} cores of {cpu_model()}, Linux {platform.release()}; load average {os.getloadavg()[0]:.1f} at the end. "
            "Server and generator on one machine: a third of a send over loopback is the receiver's work done in the sender's time, no network card is driven and "
            "no interrupt taken, and latency is that of two schedulers. Compare the ratios, not the seconds.")


def write_readme(path, text):
    with open(path) as f:
        old = f.read()
    if BEGIN not in old or END not in old:
        sys.exit(f"{path} lacks the markers {BEGIN} and {END}")
    with open(path, "w") as f:
        f.write(old[:old.index(BEGIN) + len(BEGIN)] + "\n" + text.strip() + "\n" + old[old.index(END):])


def chosen(opt):
    if opt.shapes == "all":
        return SHAPES
    names = SMALL if opt.shapes == "small" else opt.shapes.split(",")
    known = {s.name: s for s in SHAPES}
    for name in names:
        if name not in known:
            sys.exit(f"no shape {name}; --list shows them")
    return [known[name] for name in names]


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("build", nargs="?")
    ap.add_argument("--shapes", default="small")
    ap.add_argument("--runs", type=int, default=3)
    ap.add_argument("--seconds", type=float, default=4)
    ap.add_argument("--server", action="append", default=[])
    ap.add_argument("--no-janus", action="store_true")
    ap.add_argument("--json")
    ap.add_argument("--svg")
    ap.add_argument("--readme")
    ap.add_argument("--list", action="store_true")
    opt = ap.parse_args()
    if opt.list or not opt.build:
        for s in SHAPES:
            print(f"{s.name:20} {s.text}")
        return
    rivals = ([Janus] if shutil.which("janus") and not opt.no_janus else []) + [other(s) for s in opt.server]
    results, text = [], []
    for shape in chosen(opt):
        rows = measure(opt.build, [Sluice] + (rivals if shape.rivals else []), shape, opt)
        results.append({"shape": shape.name, "text": shape.text, "rows": rows})
        lines = table(shape, rows)
        text += lines
        print("\n".join(lines), flush=True)
    text.append(machine(opt.build, [Sluice] + rivals))
    print(text[-1])
    if opt.json:
        with open(opt.json, "w") as f:
            json.dump({"machine": text[-1], "shapes": results}, f, indent=1)
    if opt.svg:
        charts.write(opt.svg, results)
    if opt.readme:
        write_readme(opt.readme, "\n".join(text))


if __name__ == "__main__":
    main()
