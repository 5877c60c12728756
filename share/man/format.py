#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes cowtui-format(5) from share/doc/format.md: one text, two forms.
Usage: format.py FORMAT_MD >cowtui-format.5"""

import re
import sys

TOP = r"""'\" t
.\" SPDX-License-Identifier: GPL-3.0-or-later
.\" Written by share/man/format.py from share/doc/format.md: change that.
.TH COWTUI-FORMAT 5 2026-11-30 "cowtui" "File Formats Manual"
.nh
.ad l
.SH NAME
cowtui\-format \- the copy-on-write disk images of User-Mode Linux and QEMU
.SH DESCRIPTION
"""

BOTTOM = r""".SH SEE ALSO
.BR cowtui (1),
.BR libcow (3)
"""


def roff(text):
    """Markdown's words: code and emphasis become bold and italic, links their text."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text)
    text = re.sub(r"`([^`]*)`", lambda m: "\\fB" + m.group(1).replace("*", "\\[u002A]") + "\\fR", text)
    text = re.sub(r"\*\*([^*]+)\*\*", r"\\fB\1\\fR", text)
    text = re.sub(r"(?<![\w*])\*([^*\s][^*]*?)\*(?![\w*])", r"\\fI\1\\fR", text)
    text = text.replace("\\[u002A]", "*")
    return "\\&" + text if text[:1] in ".'" else text


LINE, INDENT = 78, 7  # what man has of 80 columns, and keeps free of them


def shared(columns):
    """The widths of a table's columns, of which the widest is left to what the terminal has (0), and whether the table
    wants all of the line. Each has room for its longest word; what is left goes where cells are longest for their room."""
    wanted = [max(map(len, column)) for column in columns]
    widths = [max(len(word) for cell in column for word in cell.split() or [""]) for column in columns]
    least = sum(widths) + 3 * len(columns)
    wide = least > LINE - INDENT
    for _ in range(LINE - (0 if wide else INDENT) - least):
        most = max(range(len(columns)), key=lambda i: wanted[i] / max(widths[i], 1))
        widths[most] += wanted[most] > widths[most]
    widths[wanted.index(max(wanted))] = 0
    return widths, wide


def table(rows):
    """Cells are text blocks, so that they wrap."""
    cells = [[cell.strip() for cell in re.split(r"(?<!\\)\|", row.strip().strip("|"))] for row in rows]
    head, body = cells[0], cells[2:]
    plain = [[re.sub(r"\\f.|\\&", "", roff(row[i].replace("\\|", "|"))).replace("\\", "") for row in [head] + body] for i in range(len(head))]
    widths, wide = shared(plain)
    print((".in 0\n" if wide else "") + ".ad l\n.TS\nallbox;")  # a marked paragraph ends that in groff 1.23
    print(" ".join("lb" for _ in head))
    print(" ".join(f"lw({width}n)" if width else "lx" for width in widths) + ".")
    for row in [head] + body:
        print("\t".join("T{\n" + (roff(cell.replace("\\|", "|")) or "\\&") + "\nT}" for cell in row))
    print(".TE\n" + (".in\n" if wide else "") + ".P")


def blocks(lines):
    """What belongs together: (kind, lines)."""
    kind, held = "", []
    for line in lines + [""]:
        now = ("code" if kind == "code" and not line.startswith("```") else
               "fence" if line.startswith("```") else
               "table" if line.startswith("|") else
               "heading" if line.startswith("#") else
               "item" if re.match(r"(- |\d+\. )", line) else
               "" if not line.strip() else
               kind if kind in ("item", "text") else "text")
        if now == "fence":
            now = "" if kind == "code" else "code"
            if held:
                yield kind, held
            kind, held = now, []
            continue
        if now != kind or now in ("heading", "item") and not line.startswith(" "):
            if held:
                yield kind, held
            kind, held = now, []
        if now:
            held.append(line)


def main():
    lines = open(sys.argv[1], encoding="utf-8").read().split("\n")
    print(TOP, end="")
    for kind, held in blocks(lines):
        text = " ".join(line.strip() for line in held)
        if kind == "heading" and text.startswith("# "):
            continue
        if kind == "heading":
            words = text.lstrip("# ")
            print((".SH " if text.startswith("## ") else ".SS ") + roff(words).upper()
                  if text.startswith("## ") else ".SS " + roff(words))
        elif kind == "table":
            table(held)
        elif kind == "code":
            print(".P\n.nf")
            print("\n".join(roff(line) for line in held))
            print(".fi\n.P")
        elif kind == "item":
            mark, words = re.match(r"(-|\d+\.) +(.*)", text).groups()
            print(".IP " + ("\\(bu 2" if mark == "-" else mark + " 4"))
            print(roff(words))
        else:
            print(".P\n" + roff(text))
    print(BOTTOM, end="")


main()
