#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes libcow(3) from the headers, so that it names what they declare and nothing else.
Usage: library.py INCLUDE_DIRECTORY >libcow.3"""

import pathlib
import re
import sys

TOP = r""".\" SPDX-License-Identifier: GPL-3.0-or-later
.\" Written by share/man/library.py from include/cow: change the headers.
.TH LIBCOW 3 2026-11-30 "cowtui" "Library Functions Manual"
.nh
.ad l
.SH NAME
libcow \- look at copy-on-write disk images, and change them by plans
.SH SYNOPSIS
.nf
.B #include <cow/cow.h>
.P
.BI "cc " program.c " $(pkg-config \-\-cflags \-\-libs libcow)"
.fi
.SH DESCRIPTION
.B libcow
is the core of
.BR cowtui (1):
both its screen and its command line see the core through these headers only.
An image is opened
.RB ( cow_image_open ())
and asked, which takes no lock and writes nothing. A change is a plan first: made by one of the functions of
.IR cow/ops.h ,
shown by what
.BR cow_plan_preview ()
tells of it, and carried out by
.BR cow_plan_commit (),
or dropped.
.P
The comments of the headers say for each function what it does, in which units, whose the results are, what can fail, and what is
left then. This page lists them.
.SS Conventions
A function that can fail answers 0 or a negative status
.RB ( "enum cow_status" ),
takes its outputs first, and a
.B struct cow_error *
last, which may be NULL. Outputs are untouched on failure.
.BR cow_status_exit_code ()
gives the exit code that
.BR cowtui (1)
documents for a status.
.P
What comes back through a
.B **out
is the caller's, and is freed by the call that is named beside it; what comes back as a
.B const *
belongs to the object that was asked.
.P
Units are in the names:
.IR size_bytes ", " first_sector .
The library never prints, prompts or exits; progress, notes and a way to stop go through
.BR "struct cow_env" .
It has no state of its own: objects are independent, and each belongs to one thread at a time.
.SH FUNCTIONS
"""

BOTTOM = r""".SH EXAMPLE
.I examples/runs.c
in the documentation's directory prints where the bytes of an image's disk come from, in thirty lines.
.SH STABILITY
Before version 1.0 any of this may change with a new version; the changelog says what has.
.SH SEE ALSO
.BR cowtui (1),
.BR cowtui\-format (5)
"""


def roff(text):
    """Text that roff shows as it stands."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return "\n".join("\\&" + line if line[:1] in ".'" else line for line in text.split("\n"))


def subject(source):
    """The first sentence of the comment on top."""
    comment = re.search(r"/\*(.*?)\*/", source, re.S).group(1)
    words = re.sub(r"\s+\*?\s*", " ", comment.split("GPL-3.0-or-later", 1)[1]).strip(" *")
    return re.split(r"(?<=\.)\s", words, maxsplit=1)[0]


def prototypes(source):
    """All functions that are declared, each in one line."""
    source = re.sub(r"/\*.*?\*/", "", source, flags=re.S)
    source = re.sub(r"^#(.*\\\n)*.*$", "", source, flags=re.M)
    # What stands within braces is no function.
    while "{" in source:
        source, n = re.subn(r"\{[^{}]*\}", ";", source)
        if n == 0:
            break
    for declaration in source.split(";"):
        words = " ".join(declaration.split())
        words = re.sub(r"__attribute__\(\(.*\)\)$", "", words).strip()
        if re.search(r"\bcow_\w+\([^()]*(\([^()]*\)[^()]*)*\)$", words) and not words.startswith("typedef"):
            yield words.replace("( ", "(").replace("* ", "*")


def main():
    print(TOP, end="")
    for header in sorted(pathlib.Path(sys.argv[1]).glob("cow/*.h")):
        source = header.read_text()
        found = list(prototypes(source))
        if not found:
            continue
        print(f".SS cow/{header.name}")
        print(roff(subject(source)))
        print(".P\n.nf")
        for words in found:
            before, name, after = re.match(r"(.*?)(\bcow_\w+)(\(.*)", words).groups()
            print(roff(before) + "\\fB" + roff(name) + "\\fR" + roff(after) + ";")
        print(".fi")
    print(BOTTOM, end="")


main()
