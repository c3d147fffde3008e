#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""readme.py - puts the table that `quality` printed into the README, what is missed first.

usage: readme.py TABLE.md README.md
"""
import sys

BEGIN, END = "<!-- quality: begin -->", "<!-- quality: end -->"


def cells(line):
    return [c.strip() for c in line.strip().strip("|").split("|")]


def missed(rows):
    """Rows whose figure misses its number, each with the scenario that it belongs to."""
    out, number, what = [], "", ""
    for row in rows:
        number, what = (row[0], row[1].rpartition(": ")[0]) if row[0] else (number, what)
        if row[-1] == "**no**":
            figure = row[1][len(what) + 2:] if row[0] else row[1]
            out.append([number, what + ": " + figure] + row[2:5])
    return out


def text(lines):
    table = [line for line in lines if line.startswith("|")]
    summary = next(line for line in lines if "figures pass" in line)
    head, rows = cells(table[0])[:5], [cells(line) for line in table[2:]]
    out = [summary, "Missed:", "", "| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    out += ["| " + " | ".join(row) + " |" for row in missed(rows)]
    return out + ["", "<details><summary>All figures</summary>", ""] + table + ["", "</details>"]


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    with open(sys.argv[1], encoding="utf-8") as f:
        new = "\n".join(text(f.read().splitlines()))
    with open(sys.argv[2], encoding="utf-8") as f:
        old = f.read()
    if BEGIN not in old or END not in old:
        sys.exit(f"{sys.argv[2]} lacks the markers {BEGIN} and {END}")
    with open(sys.argv[2], "w", encoding="utf-8") as f:
        f.write(old[:old.index(BEGIN) + len(BEGIN)] + "\n" + new + "\n" + old[old.index(END):])


if __name__ == "__main__":
    main()
