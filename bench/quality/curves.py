#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""curves.py - draws what `quality --trace` recorded as SVG: link, estimate, sent, repair; below, the
layer shown, and what packets waited in the queue.

usage: curves.py TRACE.json OUT.svg [TITLE]
"""
import json
import sys

WIDTH, LEFT, RIGHT = 960, 56, 16
PANELS = [("Mbps", 40, 220), ("layer", 300, 70), ("queue, ms", 410, 90)]
COLOURS = {"link": "#9aa0a6", "estimate": "#e8710a", "sent": "#1a73e8", "repair": "#d93025"}


def smooth(values, n):
    """Means over n samples: a rate of 50 ms is one frame or none."""
    out = []
    for i in range(len(values)):
        part = values[max(0, i - n + 1):i + 1]
        out.append(sum(part) / len(part))
    return out


class Panel:
    def __init__(self, name, top, height, t_end, most):
        self.name, self.top, self.height = name, top, height
        self.t_end, self.most = t_end, most or 1

    def x(self, t):
        return LEFT + (WIDTH - LEFT - RIGHT) * t / self.t_end

    def y(self, v):
        return self.top + self.height * (1 - min(v, self.most) / self.most)

    def frame(self, ticks):
        out = ['<rect x="%d" y="%d" width="%d" height="%d" fill="none" stroke="#dadce0"/>' %
               (LEFT, self.top, WIDTH - LEFT - RIGHT, self.height),
               '<text x="%d" y="%d" font-weight="bold">%s</text>' % (LEFT, self.top - 6, self.name)]
        for value, label in ticks:
            out.append('<text x="%d" y="%.1f" text-anchor="end">%s</text>' %
                       (LEFT - 6, self.y(value) + 4, label))
        return out

    def line(self, points, colour, width=1.4, steps=False):
        path, last = [], None
        for t, v in points:
            if steps and last is not None:
                path.append("L%.1f %.1f" % (self.x(t), self.y(last)))
            path.append("%s%.1f %.1f" % ("L" if path else "M", self.x(t), self.y(v)))
            last = v
        return ('<path d="%s" fill="none" stroke="%s" stroke-width="%.1f"/>' %
                ("".join(path), colour, width))


def draw(data, title):
    rows = data["samples"]
    times = [r[0] for r in rows]
    t_end = times[-1]
    series = {"link": [r[1] / 1e6 for r in rows], "estimate": [r[2] / 1e6 for r in rows],
              "sent": smooth([r[3] / 1e6 for r in rows], 10),
              "repair": smooth([r[5] / 1e6 for r in rows], 10)}
    most = 1.15 * max(max(series["link"]), max(series["sent"]), 0.1)
    out = ['<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="530" '
           'font-family="sans-serif" font-size="11">' % WIDTH,
           '<rect width="100%" height="100%" fill="#ffffff"/>',
           '<text x="%d" y="20" font-size="14">%s</text>' % (LEFT, title)]
    rate = Panel(*PANELS[0], t_end, most)
    out += rate.frame([(most * i / 4, "%.1f" % (most * i / 4)) for i in range(5)])
    for i, (name, values) in enumerate(series.items()):
        out.append(rate.line(zip(times, values), COLOURS[name], 2 if name == "link" else 1.4,
                             steps=name == "link"))
        out.append('<text x="%d" y="34" fill="%s">%s</text>' %
                   (WIDTH - RIGHT - 240 + 62 * i, COLOURS[name], name))
    layer = Panel(*PANELS[1], t_end, 2.5)
    out += layer.frame([(0, "low"), (1, "middle"), (2, "top")])
    shown = data["shown"]
    for before, now in zip(shown, shown[1:]):
        if now[0] - before[0] > 0.5:
            out.append('<rect x="%.1f" y="%d" width="%.1f" height="%d" fill="#d93025" '
                       'opacity="0.3"/>' % (layer.x(before[0]), layer.top,
                                            layer.x(now[0]) - layer.x(before[0]), layer.height))
    out.append(layer.line([(s[0], s[1]) for s in shown], "#188038", 2, steps=True))
    waited = [r[6] / 1e3 for r in rows]
    queue = Panel(*PANELS[2], t_end, max(100.0, 1.1 * max(waited)))
    out += queue.frame([(0, "0"), (queue.most, "%.0f" % queue.most)])
    out.append(queue.line(zip(times, waited), "#9334e6"))
    step = 5 if t_end <= 60 else 10 if t_end <= 150 else 30
    for t in range(0, int(t_end) + 1, step):
        out.append('<text x="%.1f" y="518" text-anchor="middle">%d s</text>' % (queue.x(t), t))
    out.append("</svg>")
    return "\n".join(out) + "\n"


def main():
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    with open(sys.argv[1], encoding="utf-8") as f:
        data = json.load(f)
    with open(sys.argv[2], "w", encoding="utf-8") as f:
        f.write(draw(data, sys.argv[3] if len(sys.argv) == 4 else ""))


if __name__ == "__main__":
    main()
