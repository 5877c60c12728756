#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes one check at a time out of the core, and looks whether the crash suite notices: mutants.py [--parts | PART].
There is one part; ONLY_CASE is a pattern of their names.

mutants.ini lists them: the file, what stands there (any white space is like any other), what stands there instead, and
the run of the crash program that has to find a violation then. The tree is copied, and built there; a run has to pass
without a mutant first. A line a mutant: "ok NAME" if it is killed, "FAIL NAME: why" if it survives."""
import configparser
import fnmatch
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
RUN_SECONDS = 120 * float(os.environ.get("TIME_SCALE", "1"))


def build(work):
    """False where it does not compile."""
    made = subprocess.run(
        ["make", "-C", work, "-s", "-j2", "BUILD=" + work + "/build", "CFLAGS=-O1", work + "/build/tests/crash"],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if made.returncode != 0:
        print(made.stdout)
    return made.returncode == 0


def run(work, words):
    """What the crash program says: "passes", "fails", or that it takes too long."""
    try:
        done = subprocess.run([work + "/build/tests/crash", *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, check=False, timeout=RUN_SECONDS, env={**os.environ, "ONLY_CASE": "*"})
    except subprocess.TimeoutExpired:
        return "hangs"
    if done.returncode < 0:
        return "fails"  # the core died in it; without the mutant the same run passes (judge asks that first)
    if done.returncode not in (0, 1) and "VIOLATION" not in done.stdout and "it makes calls" not in done.stdout:
        return "ends badly: " + done.stdout.strip().splitlines()[-1] if done.stdout.strip() else "ends badly"
    return "passes" if done.returncode == 0 else "fails"


def changed(text, old, new):
    """The text with the only place where old stands changed; None if there is not exactly one."""
    pattern = r"\s*".join(re.escape(word) for word in re.findall(r"\w+|[^\w\s]", old))
    found = re.findall(pattern, text)
    return re.sub(pattern, lambda _: new, text) if len(found) == 1 else None


def edits(section):
    """(file, old, new) of a mutant; those of a second place end in 2."""
    for suffix in ("", "2"):
        if "old" + suffix in section:
            yield section.get("file" + suffix, section["file"]), section["old" + suffix], section["new" + suffix]


def judge(work, name, section, baseline):
    """Why the mutant is not killed, or ""."""
    words = shlex.split(section["run"])
    if section["run"] not in baseline:
        baseline[section["run"]] = run(work, words)
    if baseline[section["run"]] != "passes":
        return "without the mutant \"crash %s\" %s" % (section["run"], baseline[section["run"]])
    kept = {}
    for path, old, new in edits(section):
        path = os.path.join(work, path)
        with open(path, encoding="utf-8") as file:
            text = file.read()
        kept.setdefault(path, text)
        text = changed(text, old, new)
        if text is None:
            baseline.clear()  # what was written is put back below
            break
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
    else:
        text = ""
    why = "mutants.ini: \"%s\" is not there, or twice" % name
    if text is not None:
        why = "it does not compile"
        if build(work):
            said = run(work, words)
            why = "" if said == "fails" else said if said != "passes" else "it survives \"crash %s\"" % section["run"]
    for path, text in kept.items():
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
    build(work)
    return why


def main():
    """The exit code."""
    if sys.argv[1:] == ["--parts"]:
        print("all 100")
        return 0
    mutants = configparser.ConfigParser(interpolation=None)
    mutants.read(os.path.join(HERE, "mutants.ini"), encoding="utf-8")
    names = [name for name in mutants.sections() if fnmatch.fnmatchcase(name, os.environ.get("ONLY_CASE", "*"))]
    failed, baseline = 0, {}
    with tempfile.TemporaryDirectory() as work:
        for part in (".ci", "src", "include", "tests/crash", "tests/promise"):
            shutil.copytree(os.path.join(ROOT, part), os.path.join(work, part))
        shutil.copy(os.path.join(ROOT, "Makefile"), work)
        if not build(work):
            print("mutants: 0 passed, 1 failed, 0 skipped")
            return 1
        for name in names:
            why = judge(work, name, mutants[name], baseline)
            failed += why != ""
            print("FAIL %s: %s" % (name, why) if why else "ok " + name, flush=True)
    print("mutants: %d passed, %d failed, 0 skipped" % (len(names) - failed, failed))
    return 1 if failed or not names else 0


sys.exit(main())
