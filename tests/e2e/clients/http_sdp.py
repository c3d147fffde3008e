# SPDX-License-Identifier: Apache-2.0
"""http_sdp.py - the two requests of WHIP (RFC 9725) and WHEP: POST an offer, DELETE the session. AGENT in the environment: whom to give itself out for."""
import os
import time
import urllib.error
import urllib.parse
import urllib.request


def post(url, offer, patience_s=20):
    """The answer and the session's URL; asks again while nobody publishes there."""
    headers = {"Content-Type": "application/sdp"}
    if "AGENT" in os.environ:
        headers["User-Agent"] = os.environ["AGENT"]
    request = urllib.request.Request(url, offer.encode(), headers, method="POST")
    end = time.monotonic() + patience_s
    while True:
        try:
            with urllib.request.urlopen(request, timeout=10) as response:
                return response.read().decode(), urllib.parse.urljoin(url, response.headers["Location"])
        except urllib.error.HTTPError as error:
            if error.code != 409 or time.monotonic() > end:
                raise SystemExit(f"{url}: {error.code} {error.read().decode()}") from error
            time.sleep(0.5)


def delete(url):
    with urllib.request.urlopen(urllib.request.Request(url, method="DELETE"), timeout=10) as response:
        return response.status
