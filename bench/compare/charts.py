# SPDX-License-Identifier: Apache-2.0
"""charts.py - bar charts of compare.py's results as SVG, one file a quantity: no library, readable on light and dark pages."""
import os

WIDTH, BAR, GAP, LEFT = 640, 18, 26, 150
COLOURS = {"sluice": "#2a7de1", "floor": "#8a8f98"}
OTHERS = ["#e0792b", "#3a9d5d", "#a84fc2"]
CHARTS = [
    ("cpu", "CPU time per forwarded packet, µs", lambda r: r.get("cpu_ns") and r["cpu_ns"] / 1000),
    ("instructions", "thousand instructions per forwarded packet", lambda r: r.get("instructions") and r["instructions"]["all"] / 1000),
    ("memory", "memory per viewer, kB", lambda r: r.get("memory") and r["memory"] / 1000),
]


def escape(text):
    return text.replace("&", "&amp;").replace("<", "&lt;")


def chart(title, groups):
    """groups: [(name, [(server, value)])]."""
    top = max(v for _, bars in groups for _, v in bars) or 1
    out, y, known = [], 40, []
    for name, bars in groups:
        out.append(f'<text x="8" y="{y + 13}" font-weight="600">{escape(name)}</text>')
        y += 20
        for server, value in bars:
            if server not in COLOURS and server not in known:
                known.append(server)
            colour = COLOURS.get(server) or OTHERS[known.index(server) % len(OTHERS)]
            width = max(1, value / top * (WIDTH - LEFT - 70))
            out.append(f'<text x="{LEFT - 8}" y="{y + 13}" text-anchor="end">{escape(server)}</text>'
                       f'<rect x="{LEFT}" y="{y}" width="{width:.1f}" height="{BAR}" rx="2" fill="{colour}"/>'
                       f'<text x="{LEFT + width + 6:.1f}" y="{y + 13}">{value:.2f}</text>')
            y += GAP
        y += 6
    style = "text{font:13px sans-serif;fill:#444}@media(prefers-color-scheme:dark){text{fill:#ccc}}"
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{y}" viewBox="0 0 {WIDTH} {y}" role="img" aria-label="{escape(title)}">'
            f'<style>{style}</style><text x="8" y="20" font-weight="700">{escape(title)}</text>{"".join(out)}</svg>\n')


def write(folder, results):
    os.makedirs(folder, exist_ok=True)
    for name, title, get in CHARTS:
        groups = [(r["shape"], [(row["server"], get(row)) for row in r["rows"] if get(row)]) for r in results]
        groups = [g for g in groups if g[1]]
        if groups:
            with open(os.path.join(folder, name + ".svg"), "w") as f:
                f.write(chart(title, groups))
