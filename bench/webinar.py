#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""webinar.py BUILD_FOLDER [VIEWERS [RATE]] - what joining costs the server's main thread in a room of one speaker and 1,000 viewers who have names, 2 + 2 slots and
read their session's events, as a page does; 40 join each second. A minute. The first fifth of the joins beside the last says whether a join costs more the more are there."""
import json
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "compare"))
import compare  # noqa: E402


def main():
    build, viewers, rate = (sys.argv[1:] + ["1000", "40"][len(sys.argv) - 2:])[:3]
    shape = compare.Shape("webinar", "", ["--bitrate", "100", "--fps", "10", "--slots", "2,2", "--readers", viewers], int(viewers),
                          sluice=["--set", f"http.event_streams_per_ip={viewers}"], ramp=int(rate))
    server = compare.Sluice(build, shape)
    try:
        with tempfile.NamedTemporaryFile(suffix=".json") as out:
            command = [os.path.join(build, "bench/load/sluice-load"), "--fast", "--gro", "--duration", "5", "--pid", str(server.pid), "--json", out.name,
                       "--whip", server.url + "/whip/webinar/speaker", "--whep", server.url + "/whep/webinar?as=v{v}&name=Viewer%20{v}"] + shape.args
            code = subprocess.run(compare.pinned(1) + command, check=False).returncode
            r = json.loads(out.read())
    finally:
        server.stop()
    j = r["joins_main"]
    print(f"\n{r['joins_ok']} of {viewers} joined: {j['all_ms']:.2f} ms of the main thread a join, {j['first_ms']:.2f} in the first fifth, {j['last_ms']:.2f} in the last; "
          f"without joins {j['rest_ms_per_s']:.1f} ms a second. Answer p50 {r['join_answer']['p50_ns'] / 1e6:.1f} ms, p99 {r['join_answer']['p99_ns'] / 1e6:.1f}. "
          f"The first viewer was told of all in {r['roster_events']} events of the roster ({r['event_bytes'] / r['viewers']:.0f} bytes a join, numbers of its own session included).")
    return code


if __name__ == "__main__":
    sys.exit(main())
